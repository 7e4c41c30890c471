// The questions that an API client asks about itself and about the server.

#include "base/text.h"
#include "k8s/api_client.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cctype>
#include <charconv>

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

Result<Json> parse_reply(const Reply& reply, std::string_view action) {
  auto json = base::parse_json(reply.body, "answer");
  if (json && json->is_object()) return json;
  return fail(Code::kUnavailable, std::string(action) + ": the answer is not a JSON object");
}

}  // namespace

Result<Json> ApiClient::post_review(std::string_view path,
                                    const Json& review,
                                    std::string_view action) {
  Request request{.method = Method::kPost,
                  .target = std::string(path),
                  .content_type = "application/json",
                  .body = base::compact(review)};
  // A review stores nothing, so it may be repeated although it is a POST.
  MESHTRUST_TRY(const Reply reply, perform(std::move(request), Repeatable::kYes, action));
  if (reply.status != 201 && reply.status != 200) return fail(refusal(reply, action));
  MESHTRUST_TRY(Json answer, parse_reply(reply, action));
  if (base::string_at(answer, "kind") != base::string_at(review, "kind")) {
    return fail(Code::kUnavailable, std::string(action) +
                                        ": the server answered with something else, found kind '" +
                                        base::printable(base::string_at(answer, "kind"), 80) + "'");
  }
  return answer;
}

Result<bool> ApiClient::can_i(const AccessQuestion& question) {
  const std::string action =
      "asking whether '" + question.verb + "' of " + question.object.describe() + " is allowed";
  Json attributes{{"verb", question.verb}, {"resource", question.object.resource}};
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) attributes[key] = value;
  };
  add("group", question.object.group());
  add("namespace", question.object.namespace_name);
  add("name", question.object.name);
  const Json review{{"apiVersion", "authorization.k8s.io/v1"},
                    {"kind", "SelfSubjectAccessReview"},
                    {"spec", {{"resourceAttributes", std::move(attributes)}}}};
  MESHTRUST_TRY(
      const Json answer,
      post_review("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review, action));
  const Json& allowed = base::at_path(answer, {"status", "allowed"});
  if (!allowed.is_boolean()) {
    return fail(Code::kUnavailable, action + ": the answer does not say whether it is allowed");
  }
  return allowed.get<bool>();
}

Result<std::string> ApiClient::who_am_i() {
  constexpr std::string_view kAction = "asking the server who we are";
  const Json review{{"apiVersion", "authentication.k8s.io/v1"}, {"kind", "SelfSubjectReview"}};
  MESHTRUST_TRY(const Json answer,
                post_review("/apis/authentication.k8s.io/v1/selfsubjectreviews", review, kAction));
  return base::string_at(base::at_path(answer, {"status", "userInfo"}), "username");
}

Result<ServerVersion> ApiClient::server_version() {
  constexpr std::string_view kAction = "asking the server for its version";
  Request request{.method = Method::kGet, .target = "/version"};
  MESHTRUST_TRY(const Reply reply, perform(std::move(request), Repeatable::kYes, kAction));
  if (reply.status != 200) return fail(refusal(reply, kAction));
  MESHTRUST_TRY(const Json answer, parse_reply(reply, kAction));
  ServerVersion version{.git_version = base::printable(base::string_at(answer, "gitVersion"), 80),
                        .major = leading_number(base::string_at(answer, "major")),
                        .minor = leading_number(base::string_at(answer, "minor"))};
  if (version.major == 0) {
    return fail(Code::kUnavailable,
                std::string(kAction) + ": the answer is not that of a Kubernetes API server");
  }
  return version;
}

}  // namespace meshtrust::k8s
