#include "run/execute.h"

#include "base/time.h"

#include <fmt/format.h>

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

namespace meshtrust::run {
namespace {

using base::Clock;
using base::Code;
using base::Error;
using std::chrono::milliseconds;

/// How often sleeping workers look whether the run was cancelled.
constexpr milliseconds kCancellationCheck{100};

/// The steps of one run and who works on them. Every member function that ends in `_locked` wants
/// the mutex held.
class Execution {
 public:
  Execution(const mesh::Plan& plan,
            const Attempt& attempt,
            Events& events,
            const Clock& clock,
            const base::Cancellation& cancellation,
            ExecuteOptions options)
      : plan_(plan),
        attempt_(attempt),
        events_(events),
        clock_(clock),
        cancellation_(cancellation),
        options_(std::move(options)),
        tasks_(plan.steps.size()) {
    for (const mesh::Step& step : plan_.steps) {
      indices_.emplace(step.id, indices_.size());
      report_.steps.push_back({.id = step.id, .cluster = step.cluster, .detail = {}, .error = {}});
    }
  }

  ExecutionReport run() {
    {
      std::vector<std::jthread> workers;
      for (const auto& [lane, most] : {std::pair{Lane::kQuick, options_.workers},
                                       std::pair{Lane::kInstall, options_.installers},
                                       std::pair{Lane::kWait, options_.watchers}}) {
        const auto steps = static_cast<std::size_t>(
            std::count_if(plan_.steps.begin(), plan_.steps.end(),
                          [one = lane](const mesh::Step& step) { return lane_of(step) == one; }));
        for (std::size_t i = 0; i < std::min(most, steps); ++i) {
          workers.emplace_back([this, one = lane] { work(one); });
        }
      }
    }
    report_.cancelled = cancellation_.is_cancelled();
    return std::move(report_);
  }

 private:
  enum class Phase { kPending, kRunning, kEnded };
  enum class Lane { kQuick, kInstall, kWait };

  static Lane lane_of(const mesh::Step& step) {
    if (std::holds_alternative<mesh::Install>(step.action)) return Lane::kInstall;
    const bool waits = std::holds_alternative<mesh::Await>(step.action) ||
                       std::holds_alternative<mesh::AwaitTakeUp>(step.action);
    return waits ? Lane::kWait : Lane::kQuick;
  }

  struct Task {
    Phase phase = Phase::kPending;
    std::optional<Clock::Steady> begun;
    std::optional<Clock::Steady> wake;  ///< not before then
  };

  void work(Lane lane) {
    std::unique_lock lock(mutex_);
    while (true) {
      leave_what_cannot_run_locked();
      if (cancellation_.is_cancelled() || nothing_pending_locked()) return;
      const auto index = runnable_locked(lane);
      if (!index) {
        changed_.wait_for(lock, pause_locked());
        continue;
      }
      attempt_once(*index, lock);
      changed_.notify_all();
    }
  }

  void attempt_once(std::size_t index, std::unique_lock<std::mutex>& lock) {
    Task& task = tasks_[index];
    const mesh::Step& step = plan_.steps[index];
    task.phase = Phase::kRunning;
    if (is_stopped(step, lock)) {
      task.phase = Phase::kEnded;
      return;
    }
    if (!task.begun) {
      task.begun = clock_.steady();
      events_.started(step);
    }
    lock.unlock();
    Outcome outcome = attempt_safely(step);
    lock.lock();
    take_locked(index, std::move(outcome));
  }

  /// Asks without the mutex: the answer may take its time.
  bool is_stopped(const mesh::Step& step, std::unique_lock<std::mutex>& lock) {
    if (!options_.stop) return false;
    lock.unlock();
    std::optional<Error> why = options_.stop(step);
    lock.lock();
    if (why && stopped_.insert(step.cluster).second) report_.stopped.push_back(*std::move(why));
    return stopped_.contains(step.cluster);
  }

  /// An exception (memory, a library) fails its step and leaves the others going.
  Outcome attempt_safely(const mesh::Step& step) {
    try {
      return attempt_(step, [this, &step](std::string_view why) {
        const std::lock_guard guard(mutex_);
        events_.waiting(step, why);
      });
    } catch (const std::exception& problem) {
      return Failed{.why = {.code = Code::kInternal,
                            .message = fmt::format("unexpected: {}", problem.what())},
                    .changed = true};
    }
  }

  void take_locked(std::size_t index, Outcome outcome) {
    StepReport& report = report_.steps[index];
    if (auto* done = std::get_if<Done>(&outcome)) {
      report.changed |= done->changed;
      report.detail = std::move(done->detail);
      end_locked(index, StepState::kDone);
    } else if (auto* blocked = std::get_if<Blocked>(&outcome)) {
      report.error = {.code = Code::kNotYet,
                      .message = "awaits " + blocked->by_whom,
                      .hints = {"run '" + blocked->command + "'"}};
      end_locked(index, StepState::kBlocked);
    } else if (auto* failed = std::get_if<Failed>(&outcome)) {
      const std::string& cluster = plan_.steps[index].cluster;
      if (failed->why.code == Code::kUnavailable && !cluster.empty()) unreachable_.insert(cluster);
      report.changed |= failed->changed;
      fail_locked(index, std::move(failed->why));
    } else if (auto* retry = std::get_if<Retry>(&outcome)) {
      report.changed |= retry->changed;
      wait_locked(index, std::move(retry->why), retry->wake);
    } else {
      auto& not_yet = std::get<NotYet>(outcome);
      report.changed |= not_yet.changed;
      wait_locked(index,
                  {.code = Code::kUnavailable,
                   .message = std::move(not_yet.why),
                   .hints = std::move(not_yet.hints)},
                  not_yet.wake);
    }
  }

  void wait_locked(std::size_t index, Error why, milliseconds wake) {
    Task& task = tasks_[index];
    const auto now = clock_.steady();
    const auto end = *task.begun + options_.step_timeout;
    if (now >= end) {
      why.message = fmt::format(
          "gave up after {}; last seen: {}",
          base::format_duration(std::chrono::duration_cast<base::Seconds>(options_.step_timeout)),
          why.message);
      fail_locked(index, std::move(why));
      return;
    }
    task.phase = Phase::kPending;
    task.wake = std::min(now + wake, end);  // whoever is told of a time gets a look at its end
    events_.waiting(plan_.steps[index], why.message);
  }

  void fail_locked(std::size_t index, Error why) {
    report_.steps[index].error = std::move(why);
    end_locked(index, StepState::kFailed);
  }

  void end_locked(std::size_t index, StepState state) {
    Task& task = tasks_[index];
    StepReport& report = report_.steps[index];
    task.phase = Phase::kEnded;
    report.state = state;
    report.took = std::chrono::duration_cast<milliseconds>(clock_.steady() - *task.begun);
    events_.finished(plan_.steps[index], report);
  }

  bool nothing_pending_locked() const {
    return std::all_of(tasks_.begin(), tasks_.end(),
                       [](const Task& task) { return task.phase == Phase::kEnded; });
  }

  std::size_t index_of(const std::string& id) const {
    const auto found = indices_.find(id);
    MESHTRUST_CHECK(found != indices_.end());
    return found->second;
  }

  /// Ends, without a report of their own, the steps whose need or whose server is gone.
  void leave_what_cannot_run_locked() {
    for (std::size_t index = 0; index < tasks_.size(); ++index) {
      if (tasks_[index].phase != Phase::kPending) continue;
      const mesh::Step& step = plan_.steps[index];
      const bool need_failed =
          std::any_of(step.needs.begin(), step.needs.end(), [this](const std::string& id) {
            const std::size_t need = index_of(id);
            return tasks_[need].phase == Phase::kEnded &&
                   report_.steps[need].state != StepState::kDone;
          });
      if (need_failed || unreachable_.contains(step.cluster) || stopped_.contains(step.cluster)) {
        tasks_[index].phase = Phase::kEnded;
      }
    }
  }

  std::optional<std::size_t> runnable_locked(Lane lane) const {
    const auto now = clock_.steady();
    for (std::size_t index = 0; index < tasks_.size(); ++index) {
      const Task& task = tasks_[index];
      if (task.phase != Phase::kPending || (task.wake && *task.wake > now)) continue;
      if (lane_of(plan_.steps[index]) != lane) continue;
      const auto& needs = plan_.steps[index].needs;
      const bool ready = std::all_of(needs.begin(), needs.end(), [this](const std::string& id) {
        return report_.steps[index_of(id)].state == StepState::kDone;
      });
      if (ready) return index;
    }
    return std::nullopt;
  }

  milliseconds pause_locked() const {
    milliseconds pause = kCancellationCheck;
    const auto now = clock_.steady();
    for (const Task& task : tasks_) {
      if (task.phase != Phase::kPending || !task.wake || *task.wake <= now) continue;
      pause = std::min(pause, std::chrono::ceil<milliseconds>(*task.wake - now));
    }
    return pause;
  }

  const mesh::Plan& plan_;
  const Attempt& attempt_;
  Events& events_;
  const Clock& clock_;
  const base::Cancellation& cancellation_;
  const ExecuteOptions options_;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Task> tasks_;
  std::map<std::string, std::size_t> indices_;  ///< of steps by their id
  std::set<std::string> unreachable_;           ///< clusters that are not tried again
  std::set<std::string> stopped_;               ///< clusters of which `stop` gave a reason
  ExecutionReport report_;
};

}  // namespace

bool ExecutionReport::succeeded() const {
  return std::all_of(steps.begin(), steps.end(),
                     [](const StepReport& step) { return step.state == StepState::kDone; });
}

bool ExecutionReport::changed_anything() const {
  return std::any_of(steps.begin(), steps.end(),
                     [](const StepReport& step) { return step.changed; });
}

base::Errors ExecutionReport::errors() const {
  base::Errors errors;
  for (const StepReport& step : steps) {
    if (step.state == StepState::kFailed || step.state == StepState::kBlocked) {
      errors.push_back(with_context(step.error, step.id));
    }
  }
  if (cancelled && !succeeded()) {
    errors.push_back({.code = Code::kCancelled, .message = "interrupted"});
  }
  if (!succeeded()) errors.insert(errors.end(), stopped.begin(), stopped.end());
  return errors;
}

std::vector<std::string> ExecutionReport::left() const {
  std::vector<std::string> ids;
  for (const StepReport& step : steps) {
    if (step.state != StepState::kDone) ids.push_back(step.id);
  }
  return ids;
}

ExecutionReport execute(const mesh::Plan& plan,
                        const Attempt& attempt,
                        Events& events,
                        const Clock& clock,
                        const base::Cancellation& cancellation,
                        const ExecuteOptions& options) {
  return Execution(plan, attempt, events, clock, cancellation, options).run();
}

}  // namespace meshtrust::run
