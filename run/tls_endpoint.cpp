#include "run/tls_endpoint.h"

#include "base/text.h"
#include "k8s/tcp_stream.h"
#include "k8s/tls_stream.h"

#include <fmt/format.h>

#include <charconv>

namespace meshtrust::run {
namespace {

using base::Code;
using base::fail;
using base::Result;

base::Failure<base::Error> not_an_address(std::string_view text) {
  return fail(Code::kUsage,
              fmt::format("'{}' is not the address of a TLS server", base::printable(text, 200)),
              "for example tls://istiod.istio-system.svc:15012 or tls://[fd00::1]:443");
}

/// A host as libcurl may be given it: nothing that could end the authority of a URL.
bool is_host(std::string_view host) {
  constexpr std::string_view kOthers = ".-_:%";
  for (const char c : host) {
    const bool is_plain =
        (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (!is_plain && kOthers.find(c) == std::string_view::npos) return false;
  }
  return !host.empty();
}

Result<k8s::Endpoint> parse(std::string_view text) {
  std::string_view rest = text;
  if (!rest.starts_with(kTlsScheme)) return not_an_address(text);
  rest.remove_prefix(kTlsScheme.size());
  if (rest.ends_with('/')) rest.remove_suffix(1);
  k8s::Endpoint endpoint;
  std::string_view host = rest;
  std::string_view port;
  const std::size_t bracket = rest.rfind(']');
  const std::size_t colon = rest.rfind(':');
  const bool has_port =
      colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
  if (has_port) {
    host = rest.substr(0, colon);
    port = rest.substr(colon + 1);
    const auto [end, problem] =
        std::from_chars(port.data(), port.data() + port.size(), endpoint.port);
    if (problem != std::errc() || end != port.data() + port.size() || endpoint.port == 0) {
      return not_an_address(text);
    }
  }
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  const bool has_colon = host.find(':') != std::string_view::npos;
  if (has_colon != bracketed || !is_host(host)) return not_an_address(text);
  endpoint.host = host;
  return endpoint;
}

}  // namespace

Result<TlsAnswer> NetworkTlsEndpoints::look(const TlsQuestion& question) {
  MESHTRUST_TRY(const k8s::Endpoint endpoint, parse(question.address));
  MESHTRUST_TRY(auto stream, k8s::connect_tcp(endpoint, question.at_most, clock_, cancellation_));
  const k8s::TlsTarget target{
      .server_name = question.server_name.empty() ? endpoint.host : question.server_name,
      .protocols = question.protocols};
  auto peer = k8s::probe_tls(std::move(stream), target, clock_);
  if (!peer) return fail(with_context(std::move(peer).error(), question.address));
  return TlsAnswer{.chain = std::move(peer->chain),
                   .version = std::move(peer->version),
                   .protocol = std::move(peer->protocol),
                   .asked_for_client_certificate = peer->asked_for_client_certificate};
}

}  // namespace meshtrust::run
