#include "k8s/api_client.h"

#include "k8s/answer.h"
#include "k8s/send_failure.h"
#include "k8s/status.h"

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

/// The server's trouble that may pass by itself, or nothing.
std::optional<Trouble> passing_trouble(const Reply& reply, Method method) {
  if (reply.status == 429) return Trouble::kThrottled;
  if (reply.status >= 502 && reply.status <= 504) return Trouble::kServer;
  if (reply.status >= 500 && reply.retry_after) return Trouble::kServer;
  // To a write, 500 is also the answer of old servers to a malformed object.
  if (reply.status == 500 && method == Method::kGet) return Trouble::kServer;
  return std::nullopt;
}

/// Some servers say only in the body how long to wait.
void note_retry_after(Reply& reply) {
  if (reply.retry_after) return;
  if (reply.status == 429 || reply.status >= 500) {
    reply.retry_after = read_status(reply).retry_after;
  }
}

std::optional<Trouble> passing_trouble(const SendFailure& failure) {
  if (failure.timed_out) return std::nullopt;  // it has had its time
  if (failure.stage == SendFailure::Stage::kConnect) return Trouble::kConnect;
  if (failure.stage == SendFailure::Stage::kExchange) return Trouble::kCut;
  return std::nullopt;
}

base::Failure<SendFailure> not_sent(Error error) {
  using Stage = SendFailure::Stage;
  const Stage stage = error.code == Code::kCancelled ? Stage::kCancelled : Stage::kConnect;
  return {SendFailure{.stage = stage, .error = std::move(error)}};
}

}  // namespace

ApiClient::ApiClient(ClientSettings settings, const ClientEffects& effects, ClientOptions options)
    : settings_(std::move(settings)),
      effects_(effects),
      options_(std::move(options)),
      http_(settings_, effects_.clock, effects_.cancellation, options_.http),
      credentials_(make_credentials(settings_,
                                    effects_.files,
                                    {.clock = effects_.clock,
                                     .processes = effects_.processes,
                                     .at_most = options_.plugin_timeout},
                                    effects_.plugins)),
      own_pause_(std::make_unique<CancellablePause>(effects_.cancellation)) {}

ApiClient::~ApiClient() = default;

std::string ApiClient::proxy() const {
  return proxy_for_people(settings_.server, settings_.proxy_url, options_.http.proxy);
}

Pause& ApiClient::pause() {
  return options_.pause != nullptr ? *options_.pause : *own_pause_;
}

// One loop, because credential, deadline and back-off all decide about the same next attempt.
// NOLINTNEXTLINE(readability-function-cognitive-complexity)
Result<Reply, SendFailure> ApiClient::send(Request request, Repeatable repeatable, Call& call) {
  const auto now = [this] { return effects_.clock.steady(); };
  auto deadline = std::min(call.until, now() + request.at_most.value_or(options_.call_timeout));
  Backoff backoff(options_.retry, effects_.random);
  bool refreshed = false;
  bool left_open = false;  // by an attempt before this one
  const auto ended = [&left_open](base::Failure<SendFailure> failure) {
    failure.error.earlier_left_open = left_open;
    return failure;
  };
  for (;;) {
    const auto asked_at = now();
    auto credential = credentials_->current();
    if (!credential) return ended(not_sent(std::move(credential).error()));
    // A person at a prompt, or the plugins of other clusters, took this time and not the server.
    const auto asked_for = now() - asked_at;
    call.until += asked_for;
    deadline += asked_for;
    if (now() >= deadline) return ended(not_sent(out_of_time()));
    if (credential->new_identity) http_.use_identity(*std::move(credential->new_identity));
    request.authorization =
        credential->authorization.empty() ? nullptr : &credential->authorization;
    if (!request.sink) {
      request.at_most = std::chrono::ceil<milliseconds>(deadline - now());
    }

    auto sent = http_.send(request);
    if (sent && sent->status == 401 && !refreshed && credentials_->refuse(credential->number)) {
      refreshed = true;
      continue;
    }
    if (sent) note_retry_after(*sent);
    const auto trouble =
        sent ? passing_trouble(*sent, request.method) : passing_trouble(sent.error());
    // What was throttled, or never left this machine, was not done: it may be sent again.
    const bool not_begun = sent && sent->of_look;
    const bool may_repeat = repeatable == Repeatable::kYes || not_begun ||
                            trouble == Trouble::kThrottled || trouble == Trouble::kConnect;
    std::optional<milliseconds> wait;
    if (trouble && may_repeat) {
      wait = backoff.next(*trouble, sent ? sent->retry_after : std::nullopt);
    }
    if (!wait || now() + *wait >= deadline) {
      if (!sent) return ended({std::move(sent).error()});
      pass_on_warnings(*sent);
      return sent;
    }
    if (!sent && sent.error().left_open()) left_open = true;
    if (auto waited = pause().wait(*wait); !waited) {
      return ended({SendFailure{.stage = SendFailure::Stage::kCancelled,
                                .error = std::move(waited).error()}});
    }
  }
}

Error ApiClient::out_of_time() const {
  return {
      .code = Code::kUnavailable,
      .message = "the requests to " + settings_.server.text() + " took longer than " +
                 base::format_duration(std::chrono::ceil<base::Seconds>(options_.call_timeout)) +
                 " together"};
}

Result<Reply> ApiClient::perform(Request request,
                                 Repeatable repeatable,
                                 std::string_view action,
                                 Call& call) {
  const Method method = request.method;
  auto sent = send(std::move(request), repeatable, call);
  if (sent) return *std::move(sent);
  SendFailure failure = std::move(sent).error();
  // A write whose answer was lost may have happened; a POST is looked after by who sent it.
  if (failure.left_open() && method != Method::kGet && method != Method::kPost) {
    failure.error.hints.emplace_back(kOutcomeUnknown);
  }
  return fail(with_context(std::move(failure.error), action));
}

Result<Reply> ApiClient::perform(Request request, Repeatable repeatable, std::string_view action) {
  Call call = begin_call();
  return perform(std::move(request), repeatable, action, call);
}

Error ApiClient::refusal(const Reply& reply, std::string_view action) const {
  if (reply.status != 401) return error_from_reply(reply, action);
  is_refused_ = true;
  const ClientIdentity* identity = settings_.identity ? &*settings_.identity : nullptr;
  if (auto expired = expired_identity(settings_, identity, effects_.clock.now())) {
    return with_context(*std::move(expired), action);
  }
  if (auto expired = expired_token(settings_, effects_.clock.now())) {
    return with_context(*std::move(expired), action);
  }
  return with_hint(error_from_reply(reply, action),
                   "the credentials are those of " + settings_.describe_user());
}

/// The answer to a GET of one object, or nothing when the server says that it does not exist.
Result<std::optional<Reply>> ApiClient::fetch(const ObjectRef& ref, Request request, Call& call) {
  const std::string action = "reading " + ref.describe();
  request.method = Method::kGet;
  request.target = ref.path();
  MESHTRUST_TRY(Reply reply, perform(std::move(request), Repeatable::kYes, action, call));
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
  Call call = begin_call();
  return get(ref, call);
}

Result<std::optional<Json>> ApiClient::get(const ObjectRef& ref, Call& call) {
  MESHTRUST_TRY(const std::optional<Reply> reply, fetch(ref, {}, call));
  if (!reply) return std::optional<Json>();
  const std::string action = "reading " + ref.describe();
  MESHTRUST_TRY(Json object, parse_answer(*reply, action));
  MESHTRUST_TRY_DO(expect_object(ref, object, action));
  return std::optional<Json>(std::move(object));
}

Result<std::optional<SecretFacts>> ApiClient::get_metadata(const ObjectRef& ref) {
  Call call = begin_call();
  MESHTRUST_TRY(auto object, get_secret_as(ref, kMetadataOnly, call));
  if (!object) return std::optional<SecretFacts>();
  return std::optional<SecretFacts>(std::move(object->facts));
}

Result<std::optional<SecretObject>> ApiClient::get_secret(const ObjectRef& ref) {
  Call call = begin_call();
  return get_secret_as(ref, "application/json", call);
}

Result<std::optional<SecretObject>> ApiClient::get_secret_as(const ObjectRef& ref,
                                                             std::string_view accept,
                                                             Call& call) {
  const std::string action = "reading " + ref.describe();
  MESHTRUST_TRY(
      std::optional<Reply> reply,
      fetch(ref, {.accept = std::string(accept), .content = Content::kConfidential}, call));
  if (!reply) return std::optional<SecretObject>();
  auto object = parse_secret(std::move(reply->secret_body));
  if (!object) return fail(with_context(std::move(object).error(), action));
  MESHTRUST_TRY_DO(expect_object(ref, object->facts, action));
  return std::optional<SecretObject>(*std::move(object));
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
