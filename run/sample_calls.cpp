#include "run/sample_calls.h"

#include "base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Result;
using std::chrono::milliseconds;

/// Of two pods that are chosen alike one is passed over in twenty calls once in half a million.
constexpr std::size_t kCallsForAPod = 10;
constexpr std::size_t kFewestCalls = 20;
constexpr std::size_t kMostCalls = 200;
constexpr int kMostRounds = 30;
constexpr milliseconds kBetweenRounds{2'000};
/// Of rounds after every pod has answered, while calls are lost.
constexpr int kMostSettledRounds = 3;
/// Of one call, for curl; and how much longer than all calls of a round may take.
constexpr int kSecondsForACall = 5;
constexpr milliseconds kSlack{20'000};
/// A pod that could not run a command this often will not.
constexpr int kMostFailures = 3;
/// What a shell and container runtimes say of a program that is not there.
constexpr int kCannotRun = 126;
constexpr int kNoSuchProgram = 127;

constexpr std::string_view kAnswerBegins = "Hello version: ";
constexpr std::string_view kInstance = "instance: ";

k8s::PodCommand command_for(const CallWish& wish, std::size_t calls) {
  // A connection a call: some proxies choose a pod for each connection and not for each request.
  k8s::PodCommand command{.namespace_name = wish.namespace_name,
                          .pod = wish.pod,
                          .container = std::string(mesh::kSampleClient),
                          .words = {"curl", "-sS", "-m", std::to_string(kSecondsForACall), "-H",
                                    "Connection: close", "-w", "\\n"}};
  const std::string url =
      fmt::format("http://{}.{}:5000/hello", mesh::kSampleServer, wish.namespace_name);
  command.words.insert(command.words.end(), calls, url);
  return command;
}

std::string last_line(std::string_view text) {
  const std::vector<std::string> lines = base::split(base::trim(text), '\n');
  return lines.empty() ? std::string() : base::printable(base::trim(lines.back()), 160);
}

/// Takes in what a round of calls brought: "Hello version: v1, instance: helloworld-v1-6d8b".
void count(const k8s::CommandOutcome& outcome, mesh::SampleCalls& calls) {
  for (const std::string& each : base::split(outcome.out, '\n')) {
    const std::string_view line = base::trim(each);
    const std::size_t instance = line.find(kInstance);
    if (line.starts_with(kAnswerBegins) && instance != std::string_view::npos) {
      ++calls.answers[base::printable(line.substr(instance + kInstance.size()), 253)];
    } else if (!line.empty()) {
      calls.other = base::printable(line, 160);
    }
  }
  const std::string error = last_line(outcome.err);
  if (!error.empty()) calls.other = error;
}

/// The rounds of one cluster.
class Caller {
 public:
  Caller(k8s::ApiClient& client, const CallWish& wish) : client_(client), wish_(wish) {}

  Result<mesh::SampleCalls> run() {
    const auto until = client_.effects().clock.steady() + wish_.at_most;
    for (int round = 0; round < kMostRounds; ++round) {
      if (round > 0) MESHTRUST_TRY_DO(client_.pause().wait(kBetweenRounds));
      MESHTRUST_TRY_DO(call_once());
      if (is_enough() || client_.effects().clock.steady() >= until) break;
    }
    if (wish_.has_no_retries && !wish_.expected.empty() && has_all()) {
      MESHTRUST_TRY_DO(count_losses(until));
    }
    return std::move(calls_);
  }

 private:
  base::Status count_losses(base::Clock::Steady until) {
    for (int round = 0; round < kMostSettledRounds; ++round) {
      MESHTRUST_TRY_DO(client_.pause().wait(kBetweenRounds));
      const std::size_t made = calls_.made;
      const std::size_t answered = answers();
      MESHTRUST_TRY_DO(call_once());
      const std::size_t calls = calls_.made - made;
      if (calls == 0) break;  // nothing could be called any more
      calls_.settled += calls;
      calls_.lost += calls - std::min(calls, answers() - answered);
      if (calls_.lost == 0 || client_.effects().clock.steady() >= until) break;
    }
    return {};
  }

  base::Status call_once() {
    const std::size_t number =
        std::clamp(kCallsForAPod * wish_.expected.size(), kFewestCalls, kMostCalls);
    const milliseconds at_most =
        std::chrono::seconds(kSecondsForACall) * static_cast<int>(number) + kSlack;
    const auto outcome = client_.run_in_pod(command_for(wish_, number), at_most);
    if (!outcome) {
      if (outcome.error().code == Code::kCancelled) return base::fail(outcome.error());
      note_failure(outcome.error().message);
      if (outcome.error().code != Code::kUnavailable) failures_ = kMostFailures;
      return {};
    }
    if (outcome->exit_code == kCannotRun || outcome->exit_code == kNoSuchProgram) {
      note_failure("curl cannot be run: " + last_line(outcome->out + outcome->err));
      return {};
    }
    calls_.made += number;
    calls_.impossible.clear();
    count(*outcome, calls_);
    tell();
    return {};
  }

  void note_failure(std::string why) {
    ++failures_;
    if (calls_.made == 0) calls_.impossible = std::move(why);
  }

  std::size_t answered() const {
    return static_cast<std::size_t>(
        std::count_if(wish_.expected.begin(), wish_.expected.end(),
                      [this](const auto& pod) { return calls_.answers.contains(pod); }));
  }

  std::size_t answers() const {
    std::size_t sum = 0;
    for (const auto& [pod, number] : calls_.answers) {
      sum += number;
    }
    return sum;
  }

  bool has_all() const { return calls_.made > 0 && answered() == wish_.expected.size(); }

  bool is_enough() const {
    const bool can_be_called = calls_.made > 0 || failures_ < kMostFailures;
    return !can_be_called || has_all();
  }

  void tell() const {
    if (!wish_.on_seen) return;
    wish_.on_seen(fmt::format("{} of {} answered{}", answered(),
                              base::count_of(wish_.expected.size(), "pod"),
                              calls_.other.empty() ? "" : "; last seen: " + calls_.other));
  }

  k8s::ApiClient& client_;
  const CallWish& wish_;
  mesh::SampleCalls calls_;
  int failures_ = 0;
};

}  // namespace

Result<mesh::SampleCalls> call_samples(k8s::ApiClient& client, const CallWish& wish) {
  return Caller(client, wish).run();
}

}  // namespace meshtrust::run
