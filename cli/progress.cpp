#include "cli/progress.h"

#include "base/text.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

namespace meshtrust::cli {
namespace {

using base::Clock;
using run::StepReport;
using run::StepState;

std::string seconds(std::chrono::milliseconds time) {
  return fmt::format("{:.1f}s", static_cast<double>(time.count()) / 1000.0);
}

std::string_view word_of(StepState state) {
  switch (state) {
    case StepState::kDone:
      return "done";
    case StepState::kFailed:
      return "failed";
    case StepState::kBlocked:
      return "blocked";
    case StepState::kLeft:
      break;
  }
  return "left";
}

std::string finished_line(const mesh::Step& step, const StepReport& report) {
  const std::string detail = report.detail.empty() ? "" : ", " + report.detail;
  return fmt::format("  {:<7} {}: {} ({}{})", word_of(report.state),
                     step.cluster.empty() ? "store" : step.cluster, step.title,
                     seconds(report.took), detail);
}

/// For pipes and logs: a line when something ends, and when what is waited for changes.
class PlainProgress final : public Progress {
 public:
  explicit PlainProgress(Console& console) : console_(console) {}

  void asking(const std::string& /*cluster*/, const std::string& /*what*/) override {}
  void answered(const std::string& /*cluster*/) override {}
  void observed(const std::string& /*cluster*/, std::size_t done, std::size_t total) override {
    // Looking is quick; only a long list is worth a line now and then.
    if (done % 50 == 0 || (done == total && total > 50)) {
      console_.tell(fmt::format("  looked at {} of {}", done, base::count_of(total, "cluster")));
    }
  }
  void started(const mesh::Step& /*step*/) override {}
  void waiting(const mesh::Step& step, std::string_view why) override {
    if (waits_[step.id] == why) return;
    waits_[step.id] = why;
    console_.tell(fmt::format("  waiting {}: {}", step.id, why));
  }
  void finished(const mesh::Step& step, const StepReport& report) override {
    console_.tell(finished_line(step, report));
  }
  void close() override {}

 private:
  Console& console_;
  std::map<std::string, std::string> waits_;
};

class JsonProgress final : public Progress {
 public:
  explicit JsonProgress(Console& console) : console_(console) {}

  void asking(const std::string& cluster, const std::string& what) override {
    write({{"event", "asking"}, {"cluster", cluster}, {"what", what}});
  }
  void answered(const std::string& /*cluster*/) override {}
  void observed(const std::string& cluster, std::size_t done, std::size_t total) override {
    write({{"event", "observed"}, {"cluster", cluster}, {"done", done}, {"total", total}});
  }
  void started(const mesh::Step& step) override {
    write({{"event", "started"}, {"step", step.id}, {"cluster", step.cluster}});
  }
  void waiting(const mesh::Step& step, std::string_view why) override {
    write({{"event", "waiting"}, {"step", step.id}, {"cluster", step.cluster}, {"why", why}});
  }
  void finished(const mesh::Step& step, const StepReport& report) override {
    base::Json json = {{"event", word_of(report.state)},
                       {"step", step.id},
                       {"cluster", step.cluster},
                       {"changed", report.changed},
                       {"milliseconds", report.took.count()}};
    if (report.state != StepState::kDone) json["error"] = report.error.message;
    write(json);
  }
  void close() override {}

 private:
  void write(const base::Json& json) { console_.narrate(base::pretty_line(json) + "\n"); }
  Console& console_;
};

class NoProgress final : public Progress {
 public:
  void asking(const std::string&, const std::string&) override {}
  void answered(const std::string&) override {}
  void observed(const std::string&, std::size_t, std::size_t) override {}
  void started(const mesh::Step&) override {}
  void waiting(const mesh::Step&, std::string_view) override {}
  void finished(const mesh::Step&, const StepReport&) override {}
  void close() override {}
};

/// One line a cluster, redrawn in place while something runs.
class LiveProgress final : public Progress {
 public:
  LiveProgress(Console& console, const Terminal& terminal, const Clock& clock)
      : console_(console),
        terminal_(terminal),
        clock_(clock),
        ticker_([this](const std::stop_token& stop) { tick(stop); }) {}
  LiveProgress(const LiveProgress&) = delete;
  LiveProgress& operator=(const LiveProgress&) = delete;
  ~LiveProgress() override { LiveProgress::close(); }

  void asking(const std::string& cluster, const std::string& what) override {
    const std::lock_guard guard(mutex_);
    lines_[cluster] = {
        .what = "waiting for " + what, .since = clock_.steady(), .shown_after = kPatience};
  }
  void answered(const std::string& cluster) override {
    const std::lock_guard guard(mutex_);
    lines_.erase(cluster);
    redraw();
  }
  void observed(const std::string& /*cluster*/, std::size_t done, std::size_t total) override {
    const std::lock_guard guard(mutex_);
    count_.reset();
    if (done != total) {
      count_ = {.what = fmt::format("looked at {} of {}", done, base::count_of(total, "cluster")),
                .since = clock_.steady()};
    }
    redraw();
  }
  void started(const mesh::Step& step) override { set(step, step.title); }
  void waiting(const mesh::Step& step, std::string_view why) override {
    set(step, fmt::format("{}: {}", step.title, why));
  }
  void finished(const mesh::Step& step, const StepReport& report) override {
    const std::lock_guard guard(mutex_);
    lines_.erase(name_of(step));
    console_.redraw("");
    console_.tell(finished_line(step, report));
    redraw();
  }
  void close() override {
    ticker_.request_stop();
    stopped_.notify_all();
    const std::lock_guard guard(mutex_);
    count_.reset();
    lines_.clear();
    redraw();
  }

 private:
  struct Line {
    std::string what;
    Clock::Steady since;
    std::chrono::milliseconds shown_after{0};
  };
  static constexpr std::size_t kMostLines = 20;
  /// Servers that answer sooner are not worth a line that flickers.
  static constexpr std::chrono::milliseconds kPatience{1500};

  static std::string name_of(const mesh::Step& step) {
    return step.cluster.empty() ? "store" : step.cluster;
  }

  void set(const mesh::Step& step, std::string what) {
    const std::lock_guard guard(mutex_);
    Line& line = lines_[name_of(step)];
    if (line.what.empty()) line.since = clock_.steady();
    line.what = std::move(what);
    redraw();
  }

  void tick(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (!stop.stop_requested()) {
      stopped_.wait_for(lock, std::chrono::milliseconds(200));
      if ((count_ || !lines_.empty()) && !stop.stop_requested()) redraw();
    }
  }

  void redraw() {
    const Clock::Steady now = clock_.steady();
    std::string text;
    std::size_t drawn = 0;
    std::size_t more = 0;
    const auto draw = [&](std::string_view name, const Line& line) {
      if (now - line.since < line.shown_after) return;
      if (drawn == kMostLines) {
        ++more;
        return;
      }
      text += row_of(name, line, now) + "\n";
      ++drawn;
    };
    if (count_) draw("observe", *count_);
    for (const auto& [name, line] : lines_) {
      draw(name, line);
    }
    if (more > 0) text += fmt::format("  ... and {} more\n", more);
    console_.redraw(text);
  }

  std::string row_of(std::string_view name, const Line& line, Clock::Steady now) const {
    const auto elapsed = std::chrono::duration_cast<std::chrono::milliseconds>(now - line.since);
    const std::string row = fmt::format("  {} {}: {}", seconds(elapsed), name, line.what);
    const auto width = static_cast<std::size_t>(std::max(terminal_.columns() - 1, 20));
    return base::first_columns(base::one_line(row), width);
  }

  Console& console_;
  const Terminal& terminal_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable stopped_;
  std::optional<Line> count_;          ///< of clusters that have been looked at
  std::map<std::string, Line> lines_;  ///< of the store and of clusters, by name
  std::jthread ticker_;                // last: it uses everything above
};

}  // namespace

std::unique_ptr<Progress> make_progress(const Session& session) {
  switch (session.progress) {
    case ProgressStyle::kJson:
      return std::make_unique<JsonProgress>(session.console());
    case ProgressStyle::kNone:
      return std::make_unique<NoProgress>();
    case ProgressStyle::kPlain:
      return std::make_unique<PlainProgress>(session.console());
    case ProgressStyle::kAuto:
      break;
  }
  if (session.around.terminal.can_redraw()) {
    return std::make_unique<LiveProgress>(session.console(), session.around.terminal,
                                          session.around.clock);
  }
  return std::make_unique<PlainProgress>(session.console());
}

}  // namespace meshtrust::cli
