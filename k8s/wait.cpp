#include "k8s/wait.h"

#include "base/text.h"
#include "base/time.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::fail;
using base::Json;
using base::Result;
using std::chrono::milliseconds;

/// What a condition may know of an object of which only metadata was read.
Json as_object(const SecretFacts& facts) {
  return {{"metadata",
           {{"name", facts.name},
            {"namespace", facts.namespace_name},
            {"uid", facts.uid},
            {"resourceVersion", facts.resource_version},
            {"labels", facts.labels},
            {"finalizers", facts.finalizers},
            {"annotations", facts.annotations}}}};
}

/// One wait, whichever way it looks.
class Wait {
 public:
  Wait(ApiClient& client,
       const ObjectRef& ref,
       const Condition& condition,
       const WaitOptions& options)
      : client_(client),
        ref_(ref),
        condition_(condition),
        options_(options),
        until_(client.effects().clock.steady() + options.at_most) {}

  base::Status run() {
    if (ref_.is_secret()) return poll();
    ObjectRef all = ref_;
    all.name.clear();
    WatchOptions how = options_.watch;
    how.label_selector = options_.label_selector;
    how.field_selector = ref_.name.empty() ? "" : "metadata.name=" + ref_.name;
    how.until = until_;
    const auto end = watch(client_, all, how, [this](const Objects& objects) {
      return look(objects) ? Watching::kEnough : Watching::kGoOn;
    });
    if (!end) return can_poll_instead(end.error()) ? poll() : fail(end.error());
    if (end->enough) return {};
    return too_late(end->trouble);
  }

 private:
  /// Who may get an object need not be permitted to list or watch it.
  static bool can_poll_instead(const Error& error) {
    return error.code == Code::kPermission || error.code == Code::kInternal;
  }

  base::Status poll() {
    std::optional<Error> trouble;
    for (;;) {
      auto objects = read();
      if (objects && look(*objects)) return {};
      if (!objects && objects.error().code != Code::kUnavailable) return fail(objects.error());
      trouble = objects ? std::nullopt : std::optional<Error>(objects.error());
      const auto left = std::chrono::ceil<milliseconds>(until_ - client_.effects().clock.steady());
      if (left.count() <= 0) return too_late(trouble);
      const long spread = options_.poll.count() * client_.effects().random.bytes(1)[0] / 1'024;
      MESHTRUST_TRY_DO(client_.pause().wait(std::min(left, options_.poll + milliseconds(spread))));
    }
  }

  Result<Objects> read() {
    Objects objects;
    const std::string key = ref_.namespace_name + "/" + ref_.name;
    if (ref_.is_secret()) return read_secrets();
    if (!ref_.name.empty()) {
      MESHTRUST_TRY(std::optional<Json> object, client_.get(ref_));
      if (object) objects.emplace(key, *std::move(object));
      return objects;
    }
    MESHTRUST_TRY(ObjectList list, client_.list(ref_, {.label_selector = options_.label_selector}));
    for (Json& item : list.items) {
      const Json& metadata = base::at_path(item, {"metadata"});
      std::string name =
          base::string_at(metadata, "namespace") + "/" + base::string_at(metadata, "name");
      objects.emplace(std::move(name), std::move(item));
    }
    return objects;
  }

  Result<Objects> read_secrets() {
    Objects objects;
    std::vector<SecretFacts> found;
    if (!ref_.name.empty()) {
      MESHTRUST_TRY(std::optional<SecretFacts> facts, client_.get_metadata(ref_));
      if (facts) found.push_back(*std::move(facts));
    } else {
      MESHTRUST_TRY(FactsList list,
                    client_.list_metadata(ref_, {.label_selector = options_.label_selector}));
      found = std::move(list.items);
    }
    for (const SecretFacts& facts : found) {
      objects.emplace(facts.namespace_name + "/" + facts.name, as_object(facts));
    }
    return objects;
  }

  bool look(const Objects& objects) {
    Verdict verdict = condition_(objects);
    if (verdict.seen != seen_) {
      seen_ = std::move(verdict.seen);
      if (options_.on_seen) options_.on_seen(seen_);
    }
    return verdict.holds;
  }

  base::Failure<Error> too_late(const std::optional<Error>& trouble) const {
    const auto waited = std::chrono::duration_cast<base::Seconds>(options_.at_most);
    Error error{.code = Code::kNotYet,
                .message = "gave up on " + ref_.describe() + " after " +
                           base::format_duration(waited) +
                           "; last seen: " + (seen_.empty() ? "nothing" : seen_)};
    if (trouble) error.hints.push_back("the last attempt failed: " + trouble->message);
    return fail(std::move(error));
  }

  ApiClient& client_;
  const ObjectRef& ref_;
  const Condition& condition_;
  const WaitOptions& options_;
  const base::Clock::Steady until_;
  std::string seen_;
};

std::string finalizers_of(const Json& object) {
  std::vector<std::string> names;
  for (const Json& one : base::at_path(object, {"metadata", "finalizers"})) {
    if (one.is_string()) names.push_back("'" + base::printable(one.get<std::string>(), 80) + "'");
  }
  return names.empty() ? "nothing that it names" : base::join(names, ", ");
}

}  // namespace

base::Status wait_for(ApiClient& client,
                      const ObjectRef& ref,
                      const Condition& condition,
                      const WaitOptions& options) {
  return Wait(client, ref, condition, options).run();
}

base::Status remove_and_wait(ApiClient& client,
                             const ObjectRef& ref,
                             const Preconditions& only,
                             const WaitOptions& options) {
  MESHTRUST_TRY(const Removed removed, client.remove(ref, only));
  if (removed.state != Removed::State::kHeld) return {};
  const Condition gone = [&only](const Objects& objects) {
    // One of the same name that came afterwards is another object.
    for (const auto& [name, object] : objects) {
      if (base::string_at(base::at_path(object, {"metadata"}), "uid") != only.uid) continue;
      return Verdict{.holds = false, .seen = "held by " + finalizers_of(object)};
    }
    return Verdict{.holds = true, .seen = "gone"};
  };
  return wait_for(client, ref, gone, options);
}

}  // namespace meshtrust::k8s
