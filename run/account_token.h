#pragma once

#include "base/result.h"
#include "base/secret.h"
#include "k8s/api_client.h"
#include "profiles/object.h"

#include <chrono>
#include <string>
#include <vector>

namespace meshtrust::run {

/// Whose token is wanted.
struct AccountRequest {
  std::string namespace_name;
  std::string service_account;
  /// The Secret that holds the token; "" takes the first of the account's, or makes one.
  std::string secret_name = {};
  /// The account itself and its rights, made where there is no such account, with its namespace.
  /// Empty: nothing is made.
  std::vector<profiles::Object> when_missing = {};
  std::chrono::milliseconds at_most{30'000};  ///< for the cluster to fill a new Secret
};

/// A token of a service account that never ends, and what its API server is verified with.
struct AccountToken {
  std::string ca_pem;
  base::Secret token;
  bool made_account = false;     ///< by this call
  std::string made_secret = {};  ///< the Secret that this call made; "" when there was one
};

/// Finds the token that a cluster keeps for a service account, in a Secret of the type
/// `kubernetes.io/service-account-token` that names the account. Everything it makes stays, so a
/// second call finds it and writes nothing.
///
/// kNotFound when there is no such account and none is to be made.
/// kInvalidInput when `secret_name` is no token of that account. kNotYet when the cluster did not
/// fill the Secret in time. Errors of the client.
base::Result<AccountToken> account_token(k8s::ApiClient& client, const AccountRequest& request);

}  // namespace meshtrust::run
