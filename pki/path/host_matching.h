#pragma once

#include <optional>
#include <string>
#include <string_view>

// Whether a dNSName of a certificate is the host that somebody asks for, as each verifier compares
// them (inside). Ours is `dns_name_matches`.

namespace meshtrust::pki {

/// Go's crypto/x509, `VerifyHostname`: names that are no hosts match only themselves.
bool go_host_matches(std::string_view presented, std::string_view wanted);
/// The address (octets) that it takes a host for, brackets aside.
std::optional<std::string> go_address_in(std::string_view host);
/// BoringSSL's crypto/x509/v3_utl.cc: equal texts match whatever they are; a wildcard is the whole
/// first label, and both it and what it stands for are checked letter by letter.
bool boringssl_host_matches(std::string_view presented, std::string_view wanted);
/// What it takes for a host in a common name: ':' and '_' are letters, and labels of any length.
bool boringssl_takes_for_host(std::string_view name);
/// rustls-webpki: what is asked for has to be a host by its rules, and so has what is presented.
bool webpki_host_matches(std::string_view presented, std::string_view wanted);

}  // namespace meshtrust::pki
