#pragma once

#include "base/cancellation.h"
#include "base/clock.h"
#include "base/error.h"
#include "mesh/plan.h"

#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace meshtrust::run {

/// The step is done; repeating it would change nothing more.
struct Done {
  bool changed = true;
  std::string detail;  ///< "expires 2028-11-20", shown behind the step
};

/// A condition does not hold yet. No thread waits: the step is tried again after `wake`.
struct NotYet {
  std::string why;  ///< what was seen last
  std::chrono::milliseconds wake{1000};
  bool changed = false;  ///< this attempt changed something already
  /// Told when the time is up: its likely cause, and what helps.
  std::vector<std::string> hints = {};
};

/// Only a person can go on.
struct Blocked {
  std::string by_whom;
  std::string command;
};

/// It failed in a way that may pass; tried again after `wake` until the time is up.
struct Retry {
  base::Error why;
  std::chrono::milliseconds wake{1000};
  bool changed = false;  ///< this attempt changed something already
};

struct Failed {
  base::Error why;
  bool changed = false;  ///< something may have changed before it failed
};

/// What one attempt at a step came to.
using Outcome = std::variant<Done, NotYet, Blocked, Retry, Failed>;

/// Tells, while an attempt goes on, what it waits for.
using Tell = std::function<void(std::string_view why)>;

/// Tries a step once. Called from worker threads; never for two attempts of one step at a time.
using Attempt = std::function<Outcome(const mesh::Step& step, const Tell& tell)>;

enum class StepState {
  kLeft,  ///< not begun: something it needs failed, or the run ended before
  kDone,
  kBlocked,
  kFailed,
};

struct StepReport {
  std::string id;
  std::string cluster;
  StepState state = StepState::kLeft;
  bool changed = false;
  std::string detail;
  base::Error error;  ///< of kFailed and kBlocked
  std::chrono::milliseconds took{0};
};

/// What became of a plan, step by step in its order.
struct ExecutionReport {
  std::vector<StepReport> steps;
  bool cancelled = false;
  base::Errors stopped =
      {};  ///< why nothing more was begun, one for each cluster of which that is so

  bool succeeded() const;
  bool changed_anything() const;
  /// The failures, each with its step; for a run that was cancelled or stopped also that.
  base::Errors errors() const;
  std::vector<std::string> left() const;
};

/// Hears about steps as they go. Called under a lock, from any thread, and must return soon.
class Events {
 public:
  Events() = default;
  Events(const Events&) = delete;
  Events& operator=(const Events&) = delete;
  virtual ~Events() = default;

  virtual void started(const mesh::Step& step) = 0;
  virtual void waiting(const mesh::Step& step, std::string_view why) = 0;
  virtual void finished(const mesh::Step& step, const StepReport& report) = 0;
};

struct ExecuteOptions {
  std::size_t workers = 16;
  std::size_t installers = 4;  ///< that run at the same time; they take minutes
  std::size_t watchers = 64;   ///< waits that are watched at the same time
  /// Asked before every attempt, from any thread: once it gives a reason, no step of that cluster
  /// is begun any more.
  std::function<std::optional<base::Error>(const mesh::Step& step)> stop = {};
  std::chrono::milliseconds step_timeout{600'000};  ///< for conditions and repeats, per step
};

/// Runs the steps of `plan`, in parallel wherever none needs the other, from bounded pools of
/// workers: one for installers, one for waits, one for all that is quick, so that none holds up the
/// others. A failed step leaves what needs it; a cluster whose server could not be reached is not
/// tried again; everything else goes on. Cancellation lets running attempts end and begins no more.
/// A condition that did not come in time is kUnavailable, a retry the code of its reason.
ExecutionReport execute(const mesh::Plan& plan,
                        const Attempt& attempt,
                        Events& events,
                        const base::Clock& clock,
                        const base::Cancellation& cancellation,
                        const ExecuteOptions& options = {});

}  // namespace meshtrust::run
