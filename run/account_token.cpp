#include "run/account_token.h"

#include "istio/names.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace meshtrust::run {
namespace {

using base::Code;
using base::Json;
using base::Result;
using base::Status;
using std::chrono::milliseconds;

constexpr milliseconds kPoll{500};
constexpr std::string_view kCaKey = "ca.crt";
constexpr std::string_view kTokenKey = "token";

k8s::ObjectRef ref_of(const profiles::Object& object) {
  return {.api_version = object.api_version,
          .kind = object.kind,
          .resource = object.resource,
          .namespace_name = object.namespace_name,
          .name = object.name};
}

bool is_token_of(const k8s::SecretFacts& facts, const std::string& account) {
  const auto named = facts.annotations.find(std::string(istio::kServiceAccountAnnotation));
  return named != facts.annotations.end() && named->second == account;
}

/// One search, from the account to the bytes of its token.
class Search {
 public:
  Search(k8s::ApiClient& client, const AccountRequest& request)
      : client_(client), request_(request) {}

  Result<AccountToken> run() {
    MESHTRUST_TRY_DO(find_account());
    MESHTRUST_TRY(const std::string name, find_secret());
    return read(name);
  }

 private:
  Status find_account() {
    const k8s::ObjectRef account{.api_version = "v1",
                                 .kind = "ServiceAccount",
                                 .resource = "serviceaccounts",
                                 .namespace_name = request_.namespace_name,
                                 .name = request_.service_account};
    MESHTRUST_TRY(const auto found, client_.get_metadata(account));
    if (found) return {};
    if (request_.when_missing.empty()) {
      return base::fail(Code::kNotFound, fmt::format("there is no {}", account.describe()));
    }
    return make_account();
  }

  /// The account comes last: where there is one, it has its rights.
  Status make_account() {
    MESHTRUST_TRY_DO(make_missing(k8s::namespace_ref(request_.namespace_name), Json::object()));
    for (const bool accounts : {false, true}) {
      for (const profiles::Object& object : request_.when_missing) {
        if ((object.resource == "serviceaccounts") != accounts) continue;
        MESHTRUST_TRY_DO(make_missing(ref_of(object), object.body));
      }
    }
    made_account_ = true;
    return {};
  }

  /// What is there already is left as it is, whoever made it.
  Status make_missing(const k8s::ObjectRef& ref, const Json& body) {
    MESHTRUST_TRY(const auto found, client_.get_metadata(ref));
    if (found) return {};
    MESHTRUST_TRY([[maybe_unused]] const k8s::Applied applied, client_.create(ref, body));
    return {};
  }

  Result<std::string> find_secret() {
    k8s::ObjectRef all = k8s::secret_ref(request_.namespace_name, "");
    k8s::ListOptions tokens;
    tokens.field_selector = fmt::format("type={}", istio::kServiceAccountTokenType);
    MESHTRUST_TRY(k8s::FactsList found, client_.list_metadata(all, tokens));
    std::erase_if(found.items, [this](const k8s::SecretFacts& facts) {
      return !is_token_of(facts, request_.service_account);
    });
    const auto by_name = [](const auto& a, const auto& b) { return a.name < b.name; };
    std::sort(found.items.begin(), found.items.end(), by_name);
    if (!request_.secret_name.empty()) return chosen(found.items);
    if (!found.items.empty()) return found.items.front().name;
    return make_secret();
  }

  Result<std::string> chosen(const std::vector<k8s::SecretFacts>& tokens) const {
    for (const k8s::SecretFacts& facts : tokens) {
      if (facts.name == request_.secret_name) return facts.name;
    }
    return base::fail(
        Code::kInvalidInput,
        fmt::format("secret '{}/{}' is no token of service account '{}'", request_.namespace_name,
                    request_.secret_name, request_.service_account),
        fmt::format("it has to be of type {} and name the account in its annotation {}",
                    istio::kServiceAccountTokenType, istio::kServiceAccountAnnotation));
  }

  Result<std::string> make_secret() {
    const std::string name = istio::token_secret_name(request_.service_account);
    k8s::SecretContent content;
    content.type = istio::kServiceAccountTokenType;
    content.annotations.emplace(istio::kServiceAccountAnnotation, request_.service_account);
    MESHTRUST_TRY(const k8s::Applied applied,
                  client_.apply_secret(k8s::secret_ref(request_.namespace_name, name), content));
    if (applied.created) made_secret_ = name;
    return name;
  }

  Result<AccountToken> read(const std::string& name) {
    const k8s::ObjectRef ref = k8s::secret_ref(request_.namespace_name, name);
    const auto until = client_.effects().clock.steady() + request_.at_most;
    for (;;) {
      MESHTRUST_TRY(std::optional<k8s::SecretObject> secret, client_.get_secret(ref));
      if (!secret) {
        return base::fail(Code::kConflict, fmt::format("{} was removed meanwhile", ref.describe()));
      }
      auto ca = secret->data.find(std::string(kCaKey));
      auto token = secret->data.find(std::string(kTokenKey));
      const auto has = [&secret](auto entry) {
        return entry != secret->data.end() && !entry->second.empty();
      };
      if (has(ca) && has(token)) {
        return AccountToken{
            .ca_pem = std::string(base::reveal(ca->second, "a CA certificate is public")),
            .token = std::move(token->second),
            .made_account = made_account_,
            .made_secret = made_secret_};
      }
      if (client_.effects().clock.steady() >= until) {
        return base::fail(
            Code::kNotYet,
            fmt::format("{} has no '{}' yet", ref.describe(), has(ca) ? kTokenKey : kCaKey),
            "the cluster's controller-manager fills it; does it run?");
      }
      MESHTRUST_TRY_DO(client_.pause().wait(kPoll));
    }
  }

  k8s::ApiClient& client_;
  const AccountRequest& request_;
  bool made_account_ = false;
  std::string made_secret_;
};

}  // namespace

Result<AccountToken> account_token(k8s::ApiClient& client, const AccountRequest& request) {
  return Search(client, request).run();
}

}  // namespace meshtrust::run
