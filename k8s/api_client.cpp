#include "k8s/api_client.h"

#include "base/text.h"
#include "k8s/send_failure.h"
#include "k8s/status.h"
#include "k8s/url.h"

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
constexpr std::string_view kMetadataOnly =
    "application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json";

bool is_success(const Reply& reply) {
  return reply.status >= 200 && reply.status < 300;
}

/// The server's trouble that may pass by itself, or nothing.
std::optional<Trouble> passing_trouble(const Reply& reply) {
  if (reply.status == 429) return Trouble::kThrottled;
  if (reply.status >= 502 && reply.status <= 504) return Trouble::kServer;
  if (reply.status >= 500 && reply.retry_after) return Trouble::kServer;
  return std::nullopt;
}

std::optional<Trouble> passing_trouble(const SendFailure& failure) {
  if (failure.timed_out) return std::nullopt;  // it has had its time
  if (failure.stage == SendFailure::Stage::kConnect) return Trouble::kConnect;
  if (failure.stage == SendFailure::Stage::kExchange) return Trouble::kCut;
  return std::nullopt;
}

Result<Json> parse_answer(const Reply& reply, std::string_view action) {
  auto json = base::parse_json(reply.body, "answer");
  if (json && json->is_object()) return json;
  return fail(with_context({.code = Code::kUnavailable,
                            .message = "the answer is not a JSON object, or breaks off (" +
                                       std::to_string(reply.status) + ", " +
                                       std::to_string(reply.body.size()) + " bytes)"},
                           action));
}

/// What says that it is something else than what was asked for, such as a cache that mixes up.
base::Status expect_object(const ObjectRef& ref,
                           std::string_view kind,
                           std::string_view namespace_name,
                           std::string_view name,
                           std::string_view action) {
  if (kind == ref.kind && namespace_name == ref.namespace_name && name == ref.name) return {};
  ObjectRef found = ref;
  found.kind = base::printable(kind, 80);
  found.namespace_name = base::printable(namespace_name, 80);
  found.name = base::printable(name, 80);
  return fail(
      with_context({.code = Code::kUnavailable,
                    .message = "the server answered with another object, " + found.describe()},
                   action));
}

base::Status expect_object(const ObjectRef& ref, const Json& object, std::string_view action) {
  const Json& metadata = base::at_path(object, {"metadata"});
  return expect_object(ref, base::string_at(object, "kind"), base::string_at(metadata, "namespace"),
                       base::string_at(metadata, "name"), action);
}

base::Status expect_object(const ObjectRef& ref,
                           const SecretFacts& facts,
                           std::string_view action) {
  return expect_object(ref, ref.kind, facts.namespace_name, facts.name, action);
}

/// An error of a confidential request may quote its body: what looks like a key is blanked before
/// the words go anywhere.
void disarm(Reply& reply) {
  blank_base64_runs(reply.secret_body);
  reply.body = reveal(reply.secret_body, "error answer without long base64");
  reply.secret_body.clear();
}

}  // namespace

ApiClient::ApiClient(ClientSettings settings, const ClientEffects& effects, ClientOptions options)
    : settings_(std::move(settings)),
      effects_(effects),
      options_(std::move(options)),
      http_(settings_, effects_.clock, effects_.cancellation, options_.http),
      credentials_(make_credentials(
          settings_, effects_.clock, effects_.files, effects_.processes, effects_.plugins)),
      own_pause_(std::make_unique<CancellablePause>(effects_.cancellation)) {}

ApiClient::~ApiClient() = default;

// One loop, because credential, deadline and back-off all decide about the same next attempt.
// NOLINTNEXTLINE(readability-function-cognitive-complexity)
Result<Reply> ApiClient::perform(Request request, Repeatable repeatable, std::string_view action) {
  const auto deadline =
      effects_.clock.steady() +
      std::min(options_.call_timeout, request.at_most.value_or(options_.call_timeout));
  Pause& pause = options_.pause != nullptr ? *options_.pause : *own_pause_;
  Backoff backoff(options_.retry, effects_.random);
  bool refreshed = false;
  for (;;) {
    auto credential = credentials_->current();
    if (!credential) return fail(with_context(std::move(credential).error(), action));
    if (credential->new_identity) http_.use_identity(*std::move(credential->new_identity));
    request.authorization =
        credential->authorization.empty() ? nullptr : &credential->authorization;
    request.at_most = std::chrono::ceil<milliseconds>(deadline - effects_.clock.steady());

    auto sent = http_.send(request);
    if (sent && sent->status == 401 && !refreshed && credentials_->refresh()) {
      refreshed = true;
      continue;
    }
    const auto trouble = sent ? passing_trouble(*sent) : passing_trouble(sent.error());
    // What was throttled, or never left this machine, was not done: it may be sent again.
    const bool may_repeat = repeatable == Repeatable::kYes || trouble == Trouble::kThrottled ||
                            trouble == Trouble::kConnect;
    std::optional<milliseconds> wait;
    if (trouble && may_repeat) {
      wait = backoff.next(*trouble, sent ? sent->retry_after : std::nullopt);
    }
    if (!wait || effects_.clock.steady() + *wait >= deadline) {
      if (!sent) return fail(with_context(std::move(sent).error().error, action));
      pass_on_warnings(*sent);
      return *std::move(sent);
    }
    if (auto waited = pause.wait(*wait); !waited) {
      return fail(with_context(std::move(waited).error(), action));
    }
  }
}

Error ApiClient::refusal(const Reply& reply, std::string_view action) const {
  if (reply.status != 401) return error_from_reply(reply, action);
  const ClientIdentity* identity = settings_.identity ? &*settings_.identity : nullptr;
  if (auto expired = expired_identity(settings_, identity, effects_.clock.now())) {
    return with_context(*std::move(expired), action);
  }
  return with_hint(error_from_reply(reply, action),
                   "the credentials are those of " + settings_.describe_user());
}

/// The answer to a GET of one object, or nothing when the server says that it does not exist.
Result<std::optional<Reply>> ApiClient::fetch(const ObjectRef& ref, Request request) {
  const std::string action = "reading " + ref.describe();
  request.method = Method::kGet;
  request.target = ref.path();
  MESHTRUST_TRY(Reply reply, perform(std::move(request), Repeatable::kYes, action));
  if (reply.status == 200) return std::optional<Reply>(std::move(reply));
  if (!reply.secret_body.empty()) disarm(reply);
  if (reply.status == 404) {
    const Missing missing = what_is_missing(read_status(reply), reply, ref);
    if (missing == Missing::kObject || missing == Missing::kNamespace) {
      return std::optional<Reply>();
    }
    Error error = refusal(reply, action);
    // Whatever else is missing, it is not the object: nobody may read this as "absent".
    if (error.code == Code::kNotFound) error.code = Code::kUnavailable;
    return fail(std::move(error));
  }
  return fail(refusal(reply, action));
}

Result<std::optional<Json>> ApiClient::get(const ObjectRef& ref) {
  MESHTRUST_TRY(const std::optional<Reply> reply, fetch(ref, {}));
  if (!reply) return std::optional<Json>();
  const std::string action = "reading " + ref.describe();
  MESHTRUST_TRY(Json object, parse_answer(*reply, action));
  MESHTRUST_TRY_DO(expect_object(ref, object, action));
  return std::optional<Json>(std::move(object));
}

Result<std::optional<SecretFacts>> ApiClient::get_metadata(const ObjectRef& ref) {
  MESHTRUST_TRY(auto object, get_secret_as(ref, kMetadataOnly));
  if (!object) return std::optional<SecretFacts>();
  return std::optional<SecretFacts>(std::move(object->facts));
}

Result<std::optional<SecretObject>> ApiClient::get_secret(const ObjectRef& ref) {
  return get_secret_as(ref, "application/json");
}

Result<std::optional<SecretObject>> ApiClient::get_secret_as(const ObjectRef& ref,
                                                             std::string_view accept) {
  const std::string action = "reading " + ref.describe();
  MESHTRUST_TRY(std::optional<Reply> reply,
                fetch(ref, {.accept = std::string(accept), .content = Content::kConfidential}));
  if (!reply) return std::optional<SecretObject>();
  auto object = parse_secret(std::move(reply->secret_body));
  if (!object) return fail(with_context(std::move(object).error(), action));
  MESHTRUST_TRY_DO(expect_object(ref, object->facts, action));
  return std::optional<SecretObject>(*std::move(object));
}

Result<Json> ApiClient::list_page(const ObjectRef& ref, const std::string& query, bool& expired) {
  const std::string action = "listing " + ref.describe();
  Request request{.method = Method::kGet, .target = ref.path() + query};
  MESHTRUST_TRY(const Reply reply, perform(std::move(request), Repeatable::kYes, action));
  expired = reply.status == 410;
  if (reply.status != 200) return fail(refusal(reply, action));
  MESHTRUST_TRY(Json page, parse_answer(reply, action));
  if (base::string_at(page, "kind") != ref.kind + "List") {
    return fail(with_context({.code = Code::kUnavailable,
                              .message = "the server answered with something else, found kind '" +
                                         base::printable(base::string_at(page, "kind"), 80) + "'"},
                             action));
  }
  return page;
}

Result<std::vector<Json>> ApiClient::list(const ObjectRef& ref, std::string_view label_selector) {
  const std::string selector =
      label_selector.empty() ? "" : "labelSelector=" + percent_encode(label_selector);
  // A list that grew too old between two pages is begun again: twice in pages, then in one piece.
  for (int round = 0;; ++round) {
    const std::string base_query = "?" + selector + (round < 3 ? "&limit=500" : "");
    std::vector<Json> items;
    std::string from;
    for (;;) {
      bool expired = false;
      const std::string query =
          from.empty() ? base_query : base_query + "&continue=" + percent_encode(from);
      auto page = list_page(ref, query, expired);
      if (!page && expired && round < 3) break;
      if (!page) return fail(std::move(page).error());
      for (Json& item : (*page)["items"]) {
        items.push_back(std::move(item));
      }
      from = base::string_at(base::at_path(*page, {"metadata"}), "continue");
      if (from.empty()) return items;
    }
  }
}

Result<Reply> ApiClient::patch(const ObjectRef& ref, Request request, DryRun dry_run) {
  const std::string action = "applying " + ref.describe();
  request.method = Method::kPatch;
  request.target = ref.path() + "?fieldManager=" + percent_encode(kFieldManager) +
                   "&fieldValidation=Strict" + (dry_run == DryRun::kYes ? "&dryRun=All" : "");
  request.content_type = kApplyPatch;
  // Repeating is safe: the body is the whole intent, applied once or twice.
  MESHTRUST_TRY(Reply reply, perform(std::move(request), Repeatable::kYes, action));
  if (is_success(reply)) return reply;
  if (!reply.secret_body.empty()) disarm(reply);
  return fail(refusal(reply, action));
}

Result<Applied> ApiClient::apply(const ObjectRef& ref, const Json& object, DryRun dry_run) {
  const std::string action = "applying " + ref.describe();
  Json whole = object;
  whole["apiVersion"] = ref.api_version;
  whole["kind"] = ref.kind;
  whole["metadata"]["name"] = ref.name;
  if (!ref.namespace_name.empty()) whole["metadata"]["namespace"] = ref.namespace_name;
  MESHTRUST_TRY(const Reply reply, patch(ref, {.body = base::compact(whole)}, dry_run));
  MESHTRUST_TRY(const Json answer, parse_answer(reply, action));
  MESHTRUST_TRY_DO(expect_object(ref, answer, action));
  const Json& metadata = base::at_path(answer, {"metadata"});
  return Applied{.created = reply.status == 201,
                 .uid = base::string_at(metadata, "uid"),
                 .resource_version = base::string_at(metadata, "resourceVersion")};
}

Result<Applied> ApiClient::apply_secret(const ObjectRef& ref, const SecretContent& content) {
  const std::string action = "applying " + ref.describe();
  if (!settings_.verify_server && !options_.write_secrets_unverified) {
    return fail(Code::kRefused,
                action + ": the server is not verified, so anybody could get what is sent",
                "give cluster '" + settings_.cluster + "' in " + settings_.cluster_file +
                    " its 'certificate-authority-data', or say --insecure-skip-tls-verify");
  }
  const base::Secret body = secret_manifest(ref.namespace_name, ref.name, content);
  MESHTRUST_TRY(Reply reply, patch(ref,
                                   {.accept = std::string(kMetadataOnly),
                                    .secret_body = &body,
                                    .content = Content::kConfidential},
                                   DryRun::kNo));
  auto answer = parse_secret(std::move(reply.secret_body));
  if (!answer) return fail(with_context(std::move(answer).error(), action));
  MESHTRUST_TRY_DO(expect_object(ref, answer->facts, action));
  return Applied{.created = reply.status == 201,
                 .uid = answer->facts.uid,
                 .resource_version = answer->facts.resource_version};
}

void ApiClient::pass_on_warnings(const Reply& reply) {
  if (!options_.on_warning || reply.warnings.empty()) return;
  const std::lock_guard lock(warnings_mutex_);
  for (const std::string& text : reply.warnings) {
    const auto known = std::find(warnings_seen_.begin(), warnings_seen_.end(), text);
    if (known != warnings_seen_.end()) continue;
    warnings_seen_.push_back(text);
    options_.on_warning(text);
  }
}

}  // namespace meshtrust::k8s
