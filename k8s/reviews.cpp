// The questions that an API client asks about itself and about the server.

#include "base/text.h"
#include "k8s/answer.h"
#include "k8s/api_client.h"
#include "k8s/status.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdlib>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;

/// The number at the front of "27+"; 0 when there is none.
int leading_number(const std::string& text) {
  int number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Result<ServerVersion> read_version(const Reply& reply) {
  constexpr std::string_view kAction = "asking the server for its version";
  MESHTRUST_TRY(const Json answer, parse_answer(reply, kAction));
  ServerVersion version{.git_version = base::printable(base::string_at(answer, "gitVersion"), 80),
                        .major = leading_number(base::string_at(answer, "major")),
                        .minor = leading_number(base::string_at(answer, "minor"))};
  if (version.major == 0) return fail(with_context(not_kubernetes(reply), kAction));
  return version;
}

}  // namespace

Result<std::optional<Json>> ApiClient::post_review(std::string_view path,
                                                   const Json& review,
                                                   std::string_view action,
                                                   Call& call) {
  Request request{.method = Method::kPost,
                  .target = std::string(path),
                  .content_type = "application/json",
                  .body = base::compact(review)};
  // A review stores nothing, so it may be repeated although it is a POST.
  MESHTRUST_TRY(const Reply reply, perform(std::move(request), Repeatable::kYes, action, call));
  if (reply.status == 404 && what_is_missing(read_status(reply), reply, {}) == Missing::kResource) {
    return std::optional<Json>();
  }
  if (reply.status != 201 && reply.status != 200) return fail(refusal(reply, action));
  MESHTRUST_TRY(Json answer, parse_answer(reply, action));
  MESHTRUST_TRY_DO(expect_kind(base::string_at(review, "kind"), answer, action));
  return std::optional<Json>(std::move(answer));
}

Result<bool> ApiClient::can_i(const AccessQuestion& question) {
  const std::string action =
      "asking whether '" + question.verb + "' of " + question.object.describe() + " is allowed";
  const std::string& resource = question.object.resource;
  const auto slash = std::min(resource.find('/'), resource.size());
  Json attributes{{"verb", question.verb}, {"resource", resource.substr(0, slash)}};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) attributes[key] = value;
  };
  add("group", question.object.group());
  add("namespace", question.object.namespace_name);
  add("name", question.object.name);
  if (slash < resource.size()) add("subresource", resource.substr(slash + 1));
  const Json review{{"apiVersion", "authorization.k8s.io/v1"},
                    {"kind", "SelfSubjectAccessReview"},
                    {"spec", {{"resourceAttributes", std::move(attributes)}}}};
  Call call = begin_call();
  MESHTRUST_TRY(
      const std::optional<Json> answer,
      post_review("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, action, call));
  if (!answer) return fail(Code::kUnavailable, action + ": the server does not know the question");
  const Json& allowed = base::at_path(*answer, {"status", "allowed"});
  if (!allowed.is_boolean()) {
    return fail(Code::kUnavailable, action + ": the answer does not say whether it is allowed");
  }
  return allowed.get<bool>();
}

Result<std::optional<WhoAmI>> ApiClient::who_am_i() {
  constexpr std::string_view kAction = "asking the server who we are";
  Call call = begin_call();
  for (const char* version : {"v1", "v1beta1", "v1alpha1"}) {
    const std::string group = std::string("authentication.k8s.io/") + version;
    const Json review{{"apiVersion", group}, {"kind", "SelfSubjectReview"}};
    MESHTRUST_TRY(const std::optional<Json> answer,
                  post_review("/apis/" + group + "/selfsubjectreviews", review, kAction, call));
    if (!answer) continue;
    const Json& user = base::at_path(*answer, {"status", "userInfo"});
    WhoAmI who{.username = base::printable(base::string_at(user, "username"), 256),
               .uid = base::printable(base::string_at(user, "uid"), 256),
               .groups = {}};
    const Json& groups = base::at_path(user, {"groups"});
    for (const Json& one : groups.is_array() ? groups : Json::array()) {
      if (one.is_string()) who.groups.push_back(base::printable(one.get<std::string>(), 256));
    }
    return std::optional<WhoAmI>(std::move(who));
  }
  return std::optional<WhoAmI>();
}

Result<Reply> ApiClient::get_version(Call& call) {
  constexpr std::string_view kAction = "asking the server for its version";
  Request request{.method = Method::kGet, .target = "/version"};
  MESHTRUST_TRY(Reply reply, perform(std::move(request), Repeatable::kYes, kAction, call));
  if (reply.status == 200) return reply;
  // Every API server has a version.
  if (reply.status == 404) return fail(with_context(not_kubernetes(reply), kAction));
  return fail(refusal(reply, kAction));
}

Result<ServerVersion> ApiClient::server_version() {
  Call call = begin_call();
  MESHTRUST_TRY(const Reply reply, get_version(call));
  return read_version(reply);
}

Result<ServerGreeting> ApiClient::greet() {
  Call call = begin_call();
  MESHTRUST_TRY(const Reply first, get_version(call));
  ServerGreeting greeting{.used_http2 = first.used_http2};
  MESHTRUST_TRY(greeting.version, read_version(first));
  // Now that the connection stands, a request takes as long as the way there and back.
  MESHTRUST_TRY(const Reply second, get_version(call));
  greeting.round_trip = second.waited;
  if (second.date) {
    const base::Seconds ahead = *second.date - effects_.clock.now();
    // Both are cut off to whole seconds, and some time has passed since: one second is none.
    greeting.clock_ahead = std::abs(ahead.count()) <= 1 ? base::Seconds(0) : ahead;
  }
  return greeting;
}

Result<Reached> ApiClient::reach() {
  Call call = begin_call();
  const auto reply = send({.target = "/version"}, Repeatable::kYes, call);
  if (reply) return Reached::kAnswers;
  const SendFailure& failure = reply.error();
  if (failure.stage == SendFailure::Stage::kCancelled) return fail(failure.error);
  const bool is_untrusted =
      failure.stage == SendFailure::Stage::kTls && failure.error.code == Code::kUnavailable;
  return is_untrusted ? Reached::kUntrusted : Reached::kNowhere;
}

Result<std::vector<std::string>> ApiClient::serving_chain() {
  auto chain = http_.serving_chain();
  if (chain) return *std::move(chain);
  return fail(with_context(std::move(chain).error().error, "looking at the server's certificate"));
}

}  // namespace meshtrust::k8s
