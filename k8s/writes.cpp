// What an API client changes. Each verb ends with the truth known, or with an error that says that
// it is not.

#include "base/check.h"
#include "base/text.h"
#include "k8s/answer.h"
#include "k8s/api_client.h"
#include "k8s/status.h"
#include "k8s/url.h"
#include "k8s/write_support.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::fail;
using base::Json;
using base::Result;
using base::with_context;
using std::chrono::milliseconds;

constexpr std::string_view kApplyPatch = "application/apply-patch+yaml";  // JSON is YAML
constexpr int kMostCreates = 3;
constexpr int kMostChanges = 6;  // the first, and five after a conflict

/// The object with everything that the path says about it.
Json complete(const ObjectRef& ref, Json object) {
  object["apiVersion"] = ref.api_version;
  object["kind"] = ref.kind;
  object["metadata"]["name"] = ref.name;
  if (!ref.namespace_name.empty()) object["metadata"]["namespace"] = ref.namespace_name;
  return object;
}

Applied facts_of(const Json& object, bool created) {
  const Json& metadata = base::at_path(object, {"metadata"});
  return {.created = created,
          .uid = base::string_at(metadata, "uid"),
          .resource_version = base::string_at(metadata, "resourceVersion")};
}

Result<Applied> read_applied(const ObjectRef& ref, const Reply& reply, std::string_view action) {
  MESHTRUST_TRY(const Json answer, parse_answer(reply, action));
  MESHTRUST_TRY_DO(expect_object(ref, answer, action));
  return facts_of(answer, reply.status == 201);
}

bool has_manager(const Json& object, std::string_view manager) {
  const Json& fields = base::at_path(object, {"metadata", "managedFields"});
  return std::any_of(fields.begin(), fields.end(), [&](const Json& entry) {
    return base::string_at(entry, "manager") == manager;
  });
}

bool is_being_deleted(const Json& object) {
  return base::at_path(object, {"metadata", "deletionTimestamp"}).is_string();
}

Result<Removed> read_removed(const ObjectRef& ref,
                             const Preconditions& only,
                             const Reply& reply,
                             std::string_view action) {
  MESHTRUST_TRY(const Json answer, parse_answer(reply, action));
  const bool is_status = base::string_at(answer, "kind") == "Status";
  const Json& about = base::at_path(answer, {is_status ? "details" : "metadata"});
  const std::string uid = base::string_at(about, "uid", only.uid);
  if (uid != only.uid || base::string_at(about, "name", ref.name) != ref.name) {
    return fail(with_context(
        {.code = Code::kUnavailable, .message = "the server answered about another object"},
        action));
  }
  if (is_status || !is_being_deleted(answer)) return Removed{};
  Removed held{.state = Removed::State::kHeld};
  for (const Json& finalizer : base::at_path(about, {"finalizers"})) {
    if (finalizer.is_string()) held.finalizers.push_back(finalizer.get<std::string>());
  }
  return held;
}

/// 10 ms, doubled each time, half of it left to chance.
milliseconds conflict_pause(int round, base::Random& random) {
  const milliseconds longest{10 << round};
  return longest / 2 + milliseconds(random.bytes(1)[0] * longest.count() / 512);
}

}  // namespace

std::string write_query() {
  return "?fieldManager=" + percent_encode(kFieldManager) + "&fieldValidation=Strict";
}

ObjectRef collection_of(ObjectRef ref) {
  ref.name.clear();
  return ref;
}

bool leaves_open(const Reply& reply) {
  return reply.status >= 500 && !reply.of_look;
}

Error is_being_deleted_there(std::string_view action) {
  return with_context({.code = Code::kConflict,
                       .message = "one of that name is being deleted",
                       .hints = {"try again when it is gone"}},
                      action);
}

Error exists_already(std::string_view action) {
  return with_context(
      {.code = Code::kConflict, .message = "one of that name exists already and is another"},
      action);
}

Result<Reply> ApiClient::patch(const ObjectRef& ref, Request request, DryRun dry_run, Call& call) {
  const std::string action =
      (dry_run == DryRun::kYes ? "trying to apply " : "applying ") + ref.describe();
  request.method = Method::kPatch;
  request.target = ref.path() + write_query() + (dry_run == DryRun::kYes ? "&dryRun=All" : "");
  request.content_type = kApplyPatch;
  // Repeating is safe: the body is the whole intent, applied once or twice.
  MESHTRUST_TRY(Reply reply, perform(std::move(request), Repeatable::kYes, action, call));
  if (is_success(reply) || dry_run == DryRun::kYes) return reply;
  if (!reply.secret_body.empty()) disarm(reply);
  Error error = refused_apply(ref, reply, action);
  if (leaves_open(reply)) error.hints.emplace_back(kOutcomeUnknown);
  return fail(std::move(error));
}

/// Two managers may agree on a field: put back by whoever changed it, it is in nobody's way.
Error ApiClient::refused_apply(const ObjectRef& ref,
                               const Reply& reply,
                               std::string_view action) const {
  Error error = refusal(reply, action);
  const bool is_conflict =
      reply.status == 409 && read_status(reply).has_cause("FieldManagerConflict");
  // Nobody edits a CA key.
  if (!is_conflict || ref.is_secret()) return error;
  const std::string space = ref.namespace_name.empty() ? "" : " -n " + ref.namespace_name;
  const std::string group = ref.group().empty() ? "" : "." + ref.group();
  return with_hint(
      std::move(error),
      "a change by hand is put back by hand, as the plan shows it: 'kubectl --context " +
          base::printable(settings_.context) + space + " edit " + ref.resource + group + " " +
          ref.name + "'");
}

Result<Applied> ApiClient::apply(const ObjectRef& ref, const Json& object) {
  const std::string action = "applying " + ref.describe();
  const std::string body = base::compact(complete(ref, object));
  Call call = begin_call();
  return settled([&]() -> Result<Result<Applied>> {
    MESHTRUST_TRY(const Reply reply, patch(ref, {.body = body}, DryRun::kNo, call));
    return read_applied(ref, reply, action);
  });
}

Result<Rehearsed> ApiClient::rehearse(const ObjectRef& ref, const Json& object) {
  MESHTRUST_CHECK(!ref.is_secret());
  const std::string action = "trying to apply " + ref.describe();
  const std::string body = base::compact(complete(ref, object));
  Call call = begin_call();
  MESHTRUST_TRY(const Reply reply, patch(ref, {.body = body}, DryRun::kYes, call));
  if (is_success(reply)) {
    MESHTRUST_TRY_DO(read_applied(ref, reply, action));
    return Rehearsed::kAccepted;
  }
  const bool no_namespace =
      reply.status == 404 &&
      what_is_missing(read_status(reply), reply, ref) == Missing::kNamespace &&
      ref.resource != "namespaces";
  if (no_namespace) return Rehearsed::kNoNamespace;
  const bool not_supported =
      reply.status == 400 && reply.body.find("does not support dry run") != std::string::npos;
  if (not_supported) return Rehearsed::kNotSupported;
  return fail(refused_apply(ref, reply, action));
}

/// What is known after a POST that did not end in success.
struct ApiClient::Unsettled {
  Error trouble;
  bool open = false;  ///< the object may be there
  std::optional<base::Seconds> retry_after = {};
};

/// One POST.
Result<Applied, ApiClient::Unsettled> ApiClient::create_once(const Creation& creation, Call& call) {
  using Left = base::Failure<Unsettled>;
  auto sent = send(creation.request, Repeatable::kNo, call);
  if (!sent) {
    SendFailure failure = std::move(sent).error();
    const bool open = failure.left_open();
    return Left{{.trouble = with_context(std::move(failure.error), creation.action), .open = open}};
  }
  if (is_success(*sent)) {
    auto made = creation.read(*std::move(sent));
    if (made) return *std::move(made);
    return Left{{.trouble = std::move(made).error(), .open = true}};
  }
  if (!sent->secret_body.empty()) disarm(*sent);
  Error trouble = refusal(*sent, creation.action);
  const bool exists = sent->status == 409 && read_status(*sent).reason == "AlreadyExists";
  // It may be our own, from a request whose answer was lost.
  if (exists) trouble.code = Code::kUnavailable;
  return Left{{.trouble = std::move(trouble),
               .open = exists || leaves_open(*sent),
               .retry_after = sent->retry_after}};
}

Result<Applied> ApiClient::create(const Creation& creation, Call& call) {
  Backoff backoff(options_.retry, effects_.random);
  for (int round = 1;; ++round) {
    auto made = create_once(creation, call);
    if (made) return *std::move(made);
    Unsettled left = std::move(made).error();
    if (!left.open) return fail(std::move(left.trouble));
    // Whether it happened is not guessed but looked up. Where nothing is found the request may
    // still be on its way: another POST then finds it, and does no harm.
    auto found = creation.find(call);
    if (found && *found) return **found;
    if (!found && found.error().code == Code::kConflict) return fail(std::move(found).error());
    const auto wait = backoff.next(Trouble::kServer, left.retry_after);
    const bool in_time = wait && effects_.clock.steady() + *wait < call.until;
    if (!found || round == kMostCreates || !in_time) {
      return fail(with_hint(std::move(left.trouble), std::string(kOutcomeUnknown)));
    }
    MESHTRUST_TRY_DO(pause().wait(*wait));
  }
}

Result<Applied> ApiClient::create(const ObjectRef& ref, const Json& object) {
  MESHTRUST_CHECK(!ref.is_secret() && !ref.name.empty());
  const std::string action = "creating " + ref.describe();
  const Json whole = complete(ref, object);
  Call call = begin_call();
  return create({.action = action,
                 .request = {.method = Method::kPost,
                             .target = collection_of(ref).path() + write_query(),
                             .content_type = std::string(kJson),
                             .body = base::compact(whole)},
                 .read = [&](const Reply& reply) { return read_applied(ref, reply, action); },
                 .find = [&](Call& of) { return find_created(ref, whole, of); }},
                call);
}

/// What is there under the name of something that may have been created: nothing, our own object as
/// it was asked for, or a kConflict.
Result<std::optional<Applied>> ApiClient::find_created(const ObjectRef& ref,
                                                       const Json& whole,
                                                       Call& call) {
  MESHTRUST_TRY(const std::optional<Json> live, get(ref, call));
  if (!live) return std::optional<Applied>();
  const std::string action = "creating " + ref.describe();
  if (is_being_deleted(*live)) return fail(is_being_deleted_there(action));
  if (!has_manager(*live, kFieldManager) || !holds_all_of(*live, whole)) {
    return fail(exists_already(action));
  }
  return std::optional<Applied>(facts_of(*live, false));
}

Result<Applied> ApiClient::change(const ObjectRef& ref,
                                  const std::function<base::Status(Json& object)>& change) {
  MESHTRUST_CHECK(!ref.is_secret());
  Call call = begin_call();
  for (int round = 1; round < kMostChanges; ++round) {
    MESHTRUST_TRY(const std::optional<Applied> changed, change_once(ref, change, call));
    if (changed) return *changed;
    MESHTRUST_TRY_DO(pause().wait(conflict_pause(round, effects_.random)));
  }
  MESHTRUST_TRY(const std::optional<Applied> changed, change_once(ref, change, call));
  if (changed) return *changed;
  return fail(with_context({.code = Code::kConflict,
                            .message = "somebody else changed it each time, " +
                                       std::to_string(kMostChanges) + " times in a row"},
                           "changing " + ref.describe()));
}

/// Nothing when the object was changed by somebody else in between.
Result<std::optional<Applied>> ApiClient::change_once(
    const ObjectRef& ref, const std::function<base::Status(Json& object)>& change, Call& call) {
  const std::string action = "changing " + ref.describe();
  MESHTRUST_TRY(const std::optional<Json> live, get(ref, call));
  if (!live) return fail(with_context({.code = Code::kNotFound, .message = "it is gone"}, action));
  const Applied before = facts_of(*live, false);
  if (before.resource_version.empty()) {
    return fail(with_context({.code = Code::kUnavailable,
                              .message = "the server gave it no resourceVersion, so that a change "
                                         "of somebody else's could be lost"},
                             action));
  }
  Json wanted = *live;
  if (auto changed = change(wanted); !changed) {
    return fail(with_context(std::move(changed).error(), action));
  }
  if (wanted == *live) return std::optional<Applied>(before);
  wanted["metadata"]["resourceVersion"] = before.resource_version;
  // Repeating is safe: the version in the body lets it happen once.
  MESHTRUST_TRY(const Reply reply, perform({.method = Method::kPut,
                                            .target = ref.path() + write_query(),
                                            .content_type = std::string(kJson),
                                            .body = base::compact(complete(ref, wanted))},
                                           Repeatable::kYes, action, call));
  if (is_success(reply)) {
    auto applied = read_applied(ref, reply, action);
    if (applied) return std::optional<Applied>(*std::move(applied));
    return std::optional<Applied>();  // done in an answer that cannot be read: look again
  }
  if (reply.status == 409 && read_status(reply).reason == "Conflict") {
    return std::optional<Applied>();
  }
  Error error = refusal(reply, action);
  if (leaves_open(reply)) error.hints.emplace_back(kOutcomeUnknown);
  return fail(std::move(error));
}

Result<Removed> ApiClient::remove(const ObjectRef& ref, const Preconditions& only) {
  MESHTRUST_CHECK(!only.uid.empty() && !ref.name.empty());
  Call call = begin_call();
  MESHTRUST_TRY(Result<Removed> first, remove_once(ref, only, call));
  if (first) return first;
  // Said to be done in an answer that cannot be read: doing it once more tells what is left of it.
  MESHTRUST_TRY(Result<Removed> second, remove_once(ref, only, call));
  if (!second) return fail(with_hint(std::move(second).error(), std::string(kOutcomeUnknown)));
  if (second->state == Removed::State::kWasAbsent) second->state = Removed::State::kGone;
  return second;
}

/// The inner result is what a success answer says.
Result<Result<Removed>> ApiClient::remove_once(const ObjectRef& ref,
                                               const Preconditions& only,
                                               Call& call) {
  const std::string action = "deleting " + ref.describe();
  Json preconditions{{"uid", only.uid}};
  if (!only.resource_version.empty()) preconditions["resourceVersion"] = only.resource_version;
  const Json body{
      {"apiVersion", "v1"}, {"kind", "DeleteOptions"}, {"preconditions", preconditions}};
  // The answer may be the object itself, values and all.
  const Content content = ref.is_secret() ? Content::kConfidential : Content::kOrdinary;
  // Repeating is safe: no other object has this UID.
  MESHTRUST_TRY(Reply reply, perform({.method = Method::kDelete,
                                      .target = ref.path(),
                                      .accept = std::string(kMetadataOnly),
                                      .content_type = std::string(kJson),
                                      .body = base::compact(body),
                                      .content = content},
                                     Repeatable::kYes, action, call));
  if (is_success(reply)) {
    if (content == Content::kConfidential) {
      if (auto stripped = strip_secrets(reply, action); !stripped) {
        return Result<Removed>(fail(stripped.error()));
      }
    }
    return read_removed(ref, only, reply, action);
  }
  if (!reply.secret_body.empty()) disarm(reply);
  if (reply.status == 404) {
    const Missing missing = what_is_missing(read_status(reply), reply, ref);
    if (missing == Missing::kObject || missing == Missing::kNamespace) {
      return Result<Removed>(Removed{.state = Removed::State::kWasAbsent});
    }
  }
  Error error = refusal(reply, action);
  if (reply.status == 409) {
    if (auto held = find_held(ref, only, call)) return Result<Removed>(*std::move(held));
    error.hints.emplace_back("it is another object, or another version, than was to be deleted");
  }
  if (leaves_open(reply)) error.hints.emplace_back(kOutcomeUnknown);
  return fail(std::move(error));
}

/// A delete whose answer was lost has changed the version, if finalizers hold the object: sent
/// again it is refused although it was done.
std::optional<Removed> ApiClient::find_held(const ObjectRef& ref,
                                            const Preconditions& only,
                                            Call& call) {
  if (only.resource_version.empty()) return std::nullopt;
  auto facts = get_secret_as(ref, kMetadataOnly, call);
  if (!facts || !*facts || (*facts)->facts.uid != only.uid || !(*facts)->facts.is_being_deleted) {
    return std::nullopt;
  }
  return Removed{.state = Removed::State::kHeld, .finalizers = (*facts)->facts.finalizers};
}

}  // namespace meshtrust::k8s
