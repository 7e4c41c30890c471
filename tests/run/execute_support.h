#pragma once

#include "run/execute.h"

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace meshtrust::run::testing {

/// A clock that goes on by itself a little at every look, so that waits pass without waiting.
class JumpingClock final : public base::Clock {
 public:
  explicit JumpingClock(std::chrono::milliseconds jump = std::chrono::milliseconds(0))
      : jump_(jump.count()) {}
  base::Instant now() const override { return base::Instant(base::Seconds(1'795'255'200)); }
  void jump_by(std::chrono::milliseconds jump) { jump_ = jump.count(); }
  Steady steady() const override { return Steady(std::chrono::milliseconds(looks_ += jump_)); }

 private:
  std::atomic<long> jump_;
  mutable std::atomic<long> looks_{0};
};

/// Notes every event, in order.
class NotedEvents final : public Events {
 public:
  void started(const mesh::Step& step) override { notes.push_back("started " + step.id); }
  void waiting(const mesh::Step& step, std::string_view why) override {
    notes.push_back("waiting " + step.id + ": " + std::string(why));
  }
  void finished(const mesh::Step& step, const StepReport& report) override {
    notes.push_back((report.state == StepState::kDone      ? "done "
                     : report.state == StepState::kBlocked ? "blocked "
                                                           : "failed ") +
                    step.id);
  }

  std::vector<std::string> notes;  ///< events come under the executor's lock
};

inline mesh::Step step(const std::string& id, std::vector<std::string> needs = {}) {
  mesh::Step made;
  made.id = id;
  made.cluster = id.starts_with("store/") ? "" : id.substr(0, id.find('/'));
  made.needs = std::move(needs);
  made.action = mesh::RecordArrival{};
  return made;
}

inline mesh::Plan plan_of(std::vector<mesh::Step> steps) {
  return {.mesh = "shop", .steps = std::move(steps)};
}

inline base::Error error(base::Code code, std::string message) {
  return {.code = code, .message = std::move(message)};
}

/// What became of every step: "east/a done, east/b left".
inline std::string states(const ExecutionReport& report) {
  std::string text;
  for (const StepReport& one : report.steps) {
    const char* state = one.state == StepState::kDone      ? "done"
                        : one.state == StepState::kFailed  ? "failed"
                        : one.state == StepState::kBlocked ? "blocked"
                                                           : "left";
    text += (text.empty() ? "" : ", ") + one.id + " " + state;
  }
  return text;
}

}  // namespace meshtrust::run::testing
