#include "k8s/send_failure.h"

#include "base/text.h"
#include "k8s/proxy.h"

#include <curl/curl.h>

#include <cctype>
#include <system_error>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using Stage = SendFailure::Stage;

std::string of_cluster(const ClientSettings& settings) {
  return "cluster '" + settings.cluster + "' in " + settings.cluster_file;
}

std::string lower_first(std::string text) {
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

Error unreachable(const ClientSettings& settings, std::string_view why) {
  Error error{.code = Code::kUnavailable,
              .message = "cannot reach " + settings.server.text() + ": " + std::string(why),
              .hints = {"the address is that of " + of_cluster(settings)}};
  if (!settings.proxy_url.empty()) {
    error.hints.push_back("it goes through the proxy " + without_password(settings.proxy_url));
  }
  return error;
}

std::string connect_problem(const FailureFacts& facts) {
  if (facts.os_error == 0) return "no connection";
  return lower_first(std::generic_category().message(facts.os_error));
}

SendFailure untrusted(const FailureFacts& facts, const ClientSettings& settings) {
  std::string_view words = facts.words;
  for (const std::string_view prefix : {"SSL certificate problem: ", "SSL: "}) {
    if (words.starts_with(prefix)) words.remove_prefix(prefix.size());
  }
  Error error{.code = Code::kUnavailable,
              .message = "server certificate of " + settings.server.text() +
                         " is not trusted: " + base::printable(words)};
  if (words.find("subject name") != std::string_view::npos) {
    error.hints.push_back("if the server is known by another name, set 'tls-server-name' of " +
                          of_cluster(settings));
  } else if (settings.certificate_authority.empty()) {
    error.hints.push_back(of_cluster(settings) +
                          " names no 'certificate-authority', so the system's roots were used");
  } else {
    error.hints.push_back("compare the 'certificate-authority' of " + of_cluster(settings) +
                          " with the server's: the cluster may have been made anew");
  }
  return {.stage = Stage::kTls, .error = std::move(error)};
}

bool is_tls_trouble(const FailureFacts& facts) {
  return facts.curl_code == CURLE_SSL_CONNECT_ERROR ||
         facts.words.find("SSL") != std::string_view::npos;
}

/// A server that wants another client certificate says so by an alert, under TLS 1.3 only after the
/// handshake.
bool is_certificate_alert(const FailureFacts& facts) {
  return facts.words.find("alert") != std::string_view::npos &&
         (facts.words.find("certificate") != std::string_view::npos ||
          facts.words.find("unknown ca") != std::string_view::npos);
}

SendFailure handshake_failed(const FailureFacts& facts, const ClientSettings& settings) {
  Error error{.code = Code::kUnavailable,
              .message = "no TLS connection with " + settings.server.text() + ": " +
                         base::printable(facts.words)};
  if (is_certificate_alert(facts)) {
    error.hints.push_back("the server refused the client certificate of " +
                          settings.describe_user());
    return {.stage = Stage::kTls, .error = std::move(error)};
  }
  error.hints.push_back("the address is that of " + of_cluster(settings));
  return {.stage = Stage::kConnect, .error = std::move(error)};
}

SendFailure timed_out(const FailureFacts& facts, const ClientSettings& settings) {
  if (!facts.was_connected) {
    return {.stage = Stage::kConnect,
            .timed_out = true,
            .error = unreachable(settings, "no connection in time")};
  }
  const std::string why =
      facts.silent_for.count() == 0
          ? " did not answer in time"
          : " said nothing for " +
                base::format_duration(std::chrono::ceil<base::Seconds>(facts.silent_for));
  return {.stage = Stage::kExchange,
          .timed_out = true,
          .error = {.code = Code::kUnavailable, .message = settings.server.text() + why}};
}

SendFailure unusable(const ClientSettings& settings, std::string_view what) {
  return {.stage = Stage::kTls,
          .error = {.code = Code::kInvalidInput,
                    .message =
                        std::string(what) + " of " + settings.describe_user() + " cannot be used"}};
}

SendFailure cut(const FailureFacts& facts, const ClientSettings& settings) {
  if (!facts.was_connected) {
    return {.stage = Stage::kConnect,
            .error = unreachable(settings, "the connection was closed before it stood")};
  }
  return {.stage = Stage::kExchange,
          .error = {.code = Code::kUnavailable,
                    .message = "connection with " + settings.server.text() +
                               " broke before the answer was complete"}};
}

}  // namespace

std::optional<Error> expired_identity(const ClientSettings& settings,
                                      const ClientIdentity* identity,
                                      base::Instant now) {
  if (identity == nullptr || !identity->expires || *identity->expires >= now) return std::nullopt;
  return Error{.code = Code::kInvalidInput,
               .message = "the client certificate of " + settings.describe_user() + " expired on " +
                          base::format_date(*identity->expires),
               .hints = {"ask for new credentials of context '" + settings.context + "'"}};
}

SendFailure explain_failure(const FailureFacts& facts, const ClientSettings& settings) {
  if (facts.cancelled) {
    return {.stage = Stage::kCancelled,
            .error = {.code = Code::kCancelled, .message = "interrupted"}};
  }
  if (facts.too_large) {
    return {.stage = Stage::kAnswer,
            .error = {.code = Code::kUnavailable,
                      .message = "the answer of " + settings.server.text() + " is larger than " +
                                 std::to_string(facts.limit_bytes >> 20U) + " MiB"}};
  }
  if (facts.silent_for.count() > 0) return timed_out(facts, settings);
  if (facts.words.find("CONNECT tunnel failed") != std::string_view::npos) {
    return {.error = unreachable(settings, "the proxy refused the connection (" +
                                               base::printable(facts.words) + ")")};
  }
  switch (facts.curl_code) {
    case CURLE_PEER_FAILED_VERIFICATION:
      return untrusted(facts, settings);
    case CURLE_SSL_CERTPROBLEM:
      return unusable(settings, "the client certificate");
    case CURLE_SSL_CACERT_BADFILE:
      return {.stage = Stage::kTls,
              .error = {.code = Code::kInvalidInput,
                        .message = "'certificate-authority' of " + of_cluster(settings) +
                                   " cannot be used"}};
    case CURLE_COULDNT_RESOLVE_HOST:
      return {.error = unreachable(settings,
                                   "the name '" + settings.server.host + "' cannot be resolved")};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {.error = unreachable(settings, "the name of the proxy cannot be resolved")};
    case CURLE_COULDNT_CONNECT:
      return {.error = unreachable(settings, connect_problem(facts))};
    case CURLE_PROXY:
      return {.error = unreachable(settings, "the proxy refused the connection")};
    case CURLE_OPERATION_TIMEDOUT:
      return timed_out(facts, settings);
    case CURLE_BAD_CONTENT_ENCODING:
      return {.stage = Stage::kAnswer,
              .error = {.code = Code::kUnavailable,
                        .message = "the answer of " + settings.server.text() +
                                   " is not compressed as it says"}};
    default:
      break;
  }
  // A server that refuses the certificate may close so fast that its alert is lost.
  const bool only_certificate = settings.token.empty() && settings.token_file.empty();
  if (is_tls_trouble(facts) || only_certificate) {
    if (auto expired = expired_identity(settings, facts.identity, facts.now)) {
      return {.stage = Stage::kTls, .error = std::move(*expired)};
    }
  }
  if (is_tls_trouble(facts) && (!facts.was_connected || is_certificate_alert(facts))) {
    return handshake_failed(facts, settings);
  }
  return cut(facts, settings);
}

}  // namespace meshtrust::k8s
