// What a server offers, and the tokens that it hands out.

#include "k8s/answer.h"
#include "k8s/api_client.h"
#include "k8s/secret_cutter.h"
#include "k8s/status.h"
#include "k8s/url.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::fail;
using base::Json;
using base::Result;
using base::with_context;

std::string discovery_path(std::string_view api_version) {
  const std::size_t slash = api_version.find('/');
  if (slash == std::string_view::npos) return "/api/" + percent_encode(api_version);
  return "/apis/" + percent_encode(api_version.substr(0, slash)) + "/" +
         percent_encode(api_version.substr(slash + 1));
}

ServedResource resource_of(const Json& entry) {
  ServedResource resource{.name = base::string_at(entry, "name"),
                          .kind = base::string_at(entry, "kind")};
  const Json& namespaced = base::at_path(entry, {"namespaced"});
  resource.namespaced = namespaced.is_boolean() && namespaced.get<bool>();
  for (const Json& verb : base::at_path(entry, {"verbs"})) {
    if (verb.is_string()) resource.verbs.push_back(verb.get<std::string>());
  }
  return resource;
}

}  // namespace

Result<std::vector<std::string>> ApiClient::api_versions() {
  const auto ask = [this](const char* path, std::string_view kind) -> Result<Json> {
    const std::string action = "asking the server for its groups";
    MESHTRUST_TRY(const Reply reply,
                  perform({.method = Method::kGet, .target = path}, Repeatable::kYes, action));
    if (reply.status != 200) return fail(refusal(reply, action));
    MESHTRUST_TRY(Json answer, parse_answer(reply, action));
    MESHTRUST_TRY_DO(expect_kind(kind, answer, action));
    return answer;
  };
  MESHTRUST_TRY(const Json core, ask("/api", "APIVersions"));
  MESHTRUST_TRY(const Json groups, ask("/apis", "APIGroupList"));
  std::vector<std::string> versions;
  for (const Json& version : base::at_path(core, {"versions"})) {
    if (version.is_string()) versions.push_back(version.get<std::string>());
  }
  for (const Json& group : base::at_path(groups, {"groups"})) {
    const std::string preferred =
        base::string_at(base::at_path(group, {"preferredVersion"}), "groupVersion");
    if (!preferred.empty()) versions.push_back(preferred);
    for (const Json& version : base::at_path(group, {"versions"})) {
      std::string name = base::string_at(version, "groupVersion");
      if (name != preferred && !name.empty()) versions.push_back(std::move(name));
    }
  }
  return versions;
}

Result<std::optional<std::vector<ServedResource>>> ApiClient::discover(
    std::string_view api_version) {
  using Answer = std::optional<std::vector<ServedResource>>;
  const std::string action = "asking the server for the resources of " + std::string(api_version);
  MESHTRUST_TRY(const Reply reply,
                perform({.method = Method::kGet, .target = discovery_path(api_version)},
                        Repeatable::kYes, action));
  if (reply.status == 404 && what_is_missing(read_status(reply), reply, {}) == Missing::kResource) {
    // A proxy has pages that are missing too, and a server that starts may not have them yet.
    MESHTRUST_TRY(const std::vector<std::string> versions, api_versions());
    if (std::find(versions.begin(), versions.end(), api_version) == versions.end()) return Answer();
    return fail(with_context(
        {.code = Code::kUnavailable, .message = "the server lists it and does not serve it"},
        action));
  }
  if (reply.status != 200) return fail(refusal(reply, action));
  MESHTRUST_TRY(const Json answer, parse_answer(reply, action));
  MESHTRUST_TRY_DO(expect_kind("APIResourceList", answer, action));
  std::vector<ServedResource> served;
  const Json& entries = base::at_path(answer, {"resources"});
  std::transform(entries.begin(), entries.end(), std::back_inserter(served), &resource_of);
  return Answer(std::move(served));
}

Result<bool> ApiClient::serves(const ObjectRef& ref) {
  MESHTRUST_TRY(const auto served, discover(ref.api_version));
  return served && std::any_of(served->begin(), served->end(),
                               [&](const auto& resource) { return resource.name == ref.resource; });
}

Result<ServiceAccountToken> ApiClient::request_token(const TokenWish& wish) {
  const ObjectRef account{.kind = "ServiceAccount",
                          .resource = "serviceaccounts",
                          .namespace_name = wish.namespace_name,
                          .name = wish.service_account};
  const std::string action = "asking for a token of " + account.describe();
  Json spec{{"expirationSeconds", wish.lifetime.count()}};
  if (!wish.audiences.empty()) spec["audiences"] = wish.audiences;
  const Json body{{"apiVersion", "authentication.k8s.io/v1"},
                  {"kind", "TokenRequest"},
                  {"spec", std::move(spec)}};
  // Nothing is stored, so it may be repeated although it is a POST.
  MESHTRUST_TRY(Reply reply, perform({.method = Method::kPost,
                                      .target = account.path() + "/token",
                                      .content_type = "application/json",
                                      .body = base::compact(body),
                                      .content = Content::kConfidential},
                                     Repeatable::kYes, action));
  if (!is_success(reply)) {
    disarm(reply);
    return fail(refusal(reply, action));
  }
  auto token = cut_token(reply.secret_body);
  if (!token) return fail(with_context(std::move(token).error(), action));
  reply.body = reveal(reply.secret_body, "a TokenRequest without its token");
  MESHTRUST_TRY(const Json answer, parse_answer(reply, action));
  MESHTRUST_TRY_DO(expect_kind("TokenRequest", answer, action));
  const auto expires = base::parse_rfc3339(
      base::string_at(base::at_path(answer, {"status"}), "expirationTimestamp"));
  if (token->empty() || !expires) {
    return fail(with_context({.code = Code::kUnavailable,
                              .message = "the answer has no token, or does not say how long it is "
                                         "good"},
                             action));
  }
  return ServiceAccountToken{.token = *std::move(token), .expires = *expires};
}

}  // namespace meshtrust::k8s
