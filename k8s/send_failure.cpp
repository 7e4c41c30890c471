#include "k8s/send_failure.h"

#include "base/text.h"
#include "k8s/proxy.h"

#include <curl/curl.h>
#include <openssl/x509_vfy.h>

#include <cctype>
#include <system_error>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using Stage = SendFailure::Stage;

std::string lower_first(std::string text) {
  if (text.size() > 1 && std::islower(static_cast<unsigned char>(text[1])) != 0) {
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  }
  return text;
}

bool contains(std::string_view text, std::string_view words) {
  return text.find(words) != std::string_view::npos;
}

/// What OpenSSL means, without the names of libraries, addresses and numbers around it.
std::string tls_words(std::string_view words) {
  if (contains(words, "wrong version number") || contains(words, "http request")) {
    return "what is there does not speak TLS";
  }
  if (contains(words, "SSL_ERROR_SYSCALL") || contains(words, "unexpected eof")) {
    return "the other end closed the connection during the handshake";
  }
  if (const std::size_t reason = words.rfind("::"); reason != std::string_view::npos) {
    words.remove_prefix(reason + 2);  // error:0A000418:SSL routines::tlsv1 alert unknown ca
  }
  return base::printable(
      lower_first(std::string(words.substr(0, words.find(" in connection to")))));
}

/// One failure, whichever it is.
class Explanation {
 public:
  Explanation(const FailureFacts& facts,
              const ClientSettings& settings,
              const ProxyEnvironment& environment)
      : facts_(facts),
        settings_(settings),
        proxy_(proxy_for_people(settings.server, settings.proxy_url, environment)),
        is_tls_proxy_(choose_proxy(settings.server, settings.proxy_url, environment)
                          .starts_with("https://")) {}

  SendFailure failure() const {
    if (facts_.cancelled) {
      return {.stage = Stage::kCancelled,
              .error = {.code = Code::kCancelled, .message = "interrupted"}};
    }
    if (facts_.too_large) {
      return {.stage = Stage::kAnswer,
              .error = {.code = Code::kUnavailable,
                        .message = "the answer of " + server() + " is larger than " +
                                   std::to_string(facts_.limit_bytes >> 20U) + " MiB"}};
    }
    if (facts_.silent_for.count() > 0) return timed_out();
    if (facts_.lost_the_look) return facts_.was_connected ? cut() : look_lost();
    if (contains(facts_.words, "CONNECT tunnel failed")) {
      return {.error = unreachable("the proxy refused the connection (" +
                                   base::printable(facts_.words) + ")")};
    }
    switch (facts_.curl_code) {
      case CURLE_PEER_FAILED_VERIFICATION:
        return untrusted();
      case CURLE_SSL_CERTPROBLEM:
        return unusable(Stage::kTls, "the client certificate of " + settings_.describe_user());
      case CURLE_SSL_CACERT_BADFILE:
        return unusable(Stage::kTls, "'certificate-authority' of " + settings_.describe_cluster());
      case CURLE_COULDNT_RESOLVE_HOST:
        return {.error =
                    unreachable("the name '" + settings_.server.host + "' cannot be resolved")};
      case CURLE_COULDNT_RESOLVE_PROXY:
        return {.error = unreachable("the name of the proxy cannot be resolved")};
      case CURLE_COULDNT_CONNECT:
        return {.error = unreachable(connect_problem())};
      case CURLE_PROXY:
        return {.error = unreachable("the proxy refused the connection")};
      case CURLE_OPERATION_TIMEDOUT:
        return timed_out();
      case CURLE_BAD_CONTENT_ENCODING:  // as good as cut off
        return {
            .stage = Stage::kExchange,
            .error = {.code = Code::kUnavailable,
                      .message = "the answer of " + server() + " is not compressed as it says"}};
      default:
        return broken();
    }
  }

 private:
  std::string server() const { return settings_.server.text(); }

  /// TLS was being spoken, or tried, with the proxy and not yet with the server behind it.
  bool is_with_proxy() const {
    return is_tls_proxy_ && facts_.connect_code == 0 && !facts_.was_connected;
  }

  std::string origin_of_proxy() const {
    if (!settings_.proxy_url.empty()) {
      return "the proxy is the 'proxy-url' of " + settings_.describe_cluster();
    }
    return "the proxy is that of HTTPS_PROXY in the environment; NO_PROXY names what is reached "
           "without it";
  }

  Error unreachable(const std::string& why) const {
    Error error{.code = Code::kUnavailable,
                .message = "cannot reach " + server(),
                .hints = {"the address is that of " + settings_.describe_cluster()}};
    if (!proxy_.empty()) {
      error.message += " through the proxy " + proxy_;
      error.hints.push_back(origin_of_proxy());
    }
    error.message += ": " + why;
    return error;
  }

  std::string connect_problem() const {
    if (facts_.os_error == 0) return "no connection";
    return lower_first(std::generic_category().message(facts_.os_error));
  }

  SendFailure untrusted() const {
    std::string_view words = facts_.words;
    for (const std::string_view prefix : {"SSL certificate problem: ", "SSL: "}) {
      if (words.starts_with(prefix)) words.remove_prefix(prefix.size());
    }
    // libcurl looks for the name itself, so these are the words for a certificate without any.
    const bool nameless = words == "hostname mismatch";
    if (nameless) words = "its subjectAltName holds neither a host name nor an address";
    const bool other_name = contains(words, "subject name") || nameless;
    const std::string whose = is_with_proxy() ? "certificate of the proxy " + proxy_
                                              : "server certificate of " + server();
    Error error{.code = Code::kUnavailable,
                .message = whose + " is not trusted: " + base::printable(words)};
    if (nameless) {
      error.hints.emplace_back(
          "a common name does not count: have it issued with a subjectAltName");
    }
    if (is_with_proxy()) {
      error.hints.push_back(origin_of_proxy());
    } else if (other_name && !nameless) {
      error.hints.push_back("if the server is known by another name, set 'tls-server-name' of " +
                            settings_.describe_cluster());
    }
    if (is_about_time()) {
      error.hints.push_back(clock());
    } else if (!other_name) {
      error.hints.push_back(roots());
    }
    return {.stage = Stage::kTls, .error = std::move(error)};
  }

  bool is_about_time() const {
    return facts_.verify_result == X509_V_ERR_CERT_NOT_YET_VALID ||
           facts_.verify_result == X509_V_ERR_CERT_HAS_EXPIRED;
  }

  /// Of a certificate that is over a client cannot tell which of the two clocks is wrong.
  std::string clock() const {
    return "is the clock of this machine right? It says " + base::format_rfc3339(facts_.now);
  }

  std::string roots() const {
    const std::string cluster = settings_.describe_cluster();
    if (settings_.certificate_authority.empty()) {
      return cluster + " names no 'certificate-authority', so the system's roots were used";
    }
    if (is_with_proxy()) {
      return "like the server's it has to come from the 'certificate-authority' of " + cluster;
    }
    return "compare the 'certificate-authority' of " + cluster +
           " with the server's: the cluster may have been made anew";
  }

  bool is_tls_trouble() const {
    return facts_.curl_code == CURLE_SSL_CONNECT_ERROR || contains(facts_.words, "SSL");
  }

  /// A server that wants another client certificate says so by an alert, under TLS 1.3 only after
  /// the handshake.
  bool is_certificate_alert() const {
    return contains(facts_.words, "alert") &&
           (contains(facts_.words, "certificate") || contains(facts_.words, "unknown ca"));
  }

  SendFailure handshake_failed() const {
    const std::string with = is_with_proxy() ? "the proxy " + proxy_ : server();
    Error error{.code = Code::kUnavailable,
                .message = "no TLS connection with " + with + ": " + tls_words(facts_.words)};
    if (is_with_proxy()) {
      error.hints.push_back(origin_of_proxy());
    } else if (is_certificate_alert()) {
      error.hints.push_back("the server refused the client certificate of " +
                            settings_.describe_user());
      return {.stage = Stage::kTls, .error = std::move(error)};
    } else {
      error.hints.push_back("the address is that of " + settings_.describe_cluster());
      if (!proxy_.empty()) error.hints.push_back("it was reached through the proxy " + proxy_);
    }
    return {.stage = Stage::kConnect, .error = std::move(error)};
  }

  SendFailure timed_out() const {
    if (!facts_.was_connected) {
      return {.stage = Stage::kConnect,
              .timed_out = true,
              .error = unreachable("no connection in time")};
    }
    const std::string why =
        facts_.silent_for.count() == 0
            ? " did not answer in time"
            : " said nothing for " +
                  base::format_duration(std::chrono::ceil<base::Seconds>(facts_.silent_for));
    return {.stage = Stage::kExchange,
            .timed_out = true,
            .error = {.code = Code::kUnavailable, .message = server() + why}};
  }

  static SendFailure unusable(Stage stage, const std::string& what) {
    return {.stage = stage,
            .error = {.code = Code::kInvalidInput, .message = what + " cannot be used"}};
  }

  SendFailure broken() const {
    // A server that refuses the certificate may close so fast that its alert is lost.
    const bool only_certificate = settings_.token.empty() && settings_.token_file.empty();
    if (!is_with_proxy() && (is_tls_trouble() || only_certificate)) {
      if (auto expired = expired_identity(settings_, facts_.identity, facts_.now)) {
        return {.stage = Stage::kTls, .error = std::move(*expired)};
      }
    }
    if (is_tls_trouble() && (!facts_.was_connected || is_certificate_alert())) {
      return handshake_failed();
    }
    if (!facts_.was_connected) {
      return {.stage = Stage::kConnect,
              .error = unreachable("the connection was closed before it stood")};
    }
    return cut();
  }

  SendFailure cut() const {
    return {.stage = Stage::kExchange,
            .error = {.code = Code::kUnavailable,
                      .message =
                          "connection with " + server() + " broke before the answer was complete"}};
  }

  SendFailure look_lost() const {
    return {.stage = Stage::kConnect,
            .error = {.code = Code::kUnavailable,
                      .message = "the connection with " + server() +
                                 ", by which it was seen which cluster it is, was closed before "
                                 "anything secret could be sent over it",
                      .hints = {"a proxy or load balancer before that server has to keep a "
                                "connection for two requests"}}};
  }

  const FailureFacts& facts_;
  const ClientSettings& settings_;
  const std::string proxy_;  ///< "" for none
  const bool is_tls_proxy_;
};

Error expired(const std::string& what, base::Instant end, const ClientSettings& settings) {
  return {
      .code = Code::kInvalidInput,
      .message = "the " + what + " of " + settings.describe_user() + " expired on " +
                 base::format_date(end),
      .hints = {"ask for new credentials of context '" + base::printable(settings.context) + "'"}};
}

}  // namespace

std::optional<Error> expired_identity(const ClientSettings& settings,
                                      const ClientIdentity* identity,
                                      base::Instant now) {
  if (identity == nullptr || !identity->expires || *identity->expires >= now) return std::nullopt;
  return expired("client certificate", *identity->expires, settings);
}

std::optional<Error> expired_token(const ClientSettings& settings, base::Instant now) {
  if (!settings.token_expires || *settings.token_expires >= now) return std::nullopt;
  return expired("token", *settings.token_expires, settings);
}

SendFailure explain_failure(const FailureFacts& facts,
                            const ClientSettings& settings,
                            const ProxyEnvironment& environment) {
  return Explanation(facts, settings, environment).failure();
}

}  // namespace meshtrust::k8s
