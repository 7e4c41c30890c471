#include "pki/path/name_reader.h"

#include <algorithm>

namespace meshtrust::pki {
namespace {

using Text = std::optional<std::string>;
using View = std::string_view;

bool is_hexadecimal(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

View without_dot_before(View name) {
  if (name.starts_with('.')) name.remove_prefix(1);
  return name;
}

// --- ours ---------------------------------------------------------------------------------------

/// Names that no host has are compared as well, label by label: what is wrong with them is told
/// elsewhere, and within a subtree is within it. Not those that some readers cut off: at a zero
/// octet, or the dot at the end.
Text own_dns(View name) {
  const auto printable = [](char c) { return c > ' ' && c < 0x7f; };
  const bool is_comparable =
      !name.empty() && !name.ends_with('.') && std::ranges::all_of(name, printable);
  return is_comparable ? Text(lower(name)) : std::nullopt;
}

std::optional<MailText> own_mail(View address) {
  const auto box = mailbox_of(address);
  if (!box) return std::nullopt;
  return MailText{.local = std::string(box->local), .domain = lower(box->domain)};
}

Text own_uri(View uri) {
  const auto host = constrained_host(uri);
  return host ? Text(lower(*host)) : std::nullopt;
}

Text own_host_constraint(View text) {
  const View host = without_dot_before(text);
  return is_dns_name(host, false) && !ends_in_number(host) ? Text(lower(text)) : std::nullopt;
}

Text own_dns_constraint(View text) {
  return text.empty() ? Text("") : own_host_constraint(text);
}

// --- BoringSSL: crypto/x509/v3_ncons.cc ---------------------------------------------------------

/// Compared as bytes, whatever they are.
Text boringssl_dns(View name) {
  return lower(without_dot_behind(name));
}

Text boringssl_dns_constraint(View text) {
  return text == "." ? Text(".") : boringssl_dns(text);
}

bool is_boringssl_local_part(View local) {
  constexpr View kSpecial = "!#$%&'*+-/=?^_`{|}~.";
  return !local.empty() && std::ranges::all_of(local, [kSpecial](char c) {
    return is_alphanumeric(c) || kSpecial.find(c) != View::npos;
  });
}

Text boringssl_mail_domain(View domain) {
  const bool good = !domain.empty() && std::ranges::all_of(domain, [](char c) {
    return is_alphanumeric(c) || c == '-' || c == '.';
  });
  return good ? Text(lower(domain)) : std::nullopt;
}

std::optional<MailText> boringssl_mail(View address) {
  const auto at = address.find('@');
  if (at == View::npos || address.find('@', at + 1) != View::npos) return std::nullopt;
  auto domain = boringssl_mail_domain(address.substr(at + 1));
  const View local = address.substr(0, at);
  if (!domain || !is_boringssl_local_part(local)) return std::nullopt;
  return MailText{.local = std::string(local), .domain = *std::move(domain)};
}

bool is_boringssl_label(View label) {
  constexpr std::size_t kLongest = 63;
  return !label.empty() && label.size() <= kLongest && is_alphanumeric(label.front()) &&
         is_alphanumeric(label.back()) &&
         std::ranges::all_of(label, [](char c) { return is_alphanumeric(c) || c == '-'; });
}

/// What the WHATWG takes for an address: a last label of decimal or hexadecimal digits.
bool ends_in_number(View host) {
  const View last = host.substr(host.rfind('.') + 1);  // npos + 1 is 0
  if (last.starts_with("0x") || last.starts_with("0X")) {
    return std::ranges::all_of(last.substr(2), is_hexadecimal);
  }
  return std::ranges::all_of(last, is_digit);
}

bool is_boringssl_host(View host) {
  if (ends_in_number(host)) return false;
  while (true) {
    const auto dot = host.find('.');
    if (!is_boringssl_label(host.substr(0, dot))) return false;
    if (dot == View::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

bool is_scheme(View scheme) {
  return !scheme.empty() && is_letter(scheme.front()) && std::ranges::all_of(scheme, [](char c) {
    return is_alphanumeric(c) || c == '+' || c == '-' || c == '.';
  });
}

Text boringssl_uri(View uri) {
  const auto colon = uri.find(':');
  if (colon == View::npos || !is_scheme(uri.substr(0, colon))) return std::nullopt;
  uri.remove_prefix(colon + 1);
  if (!uri.starts_with("//")) return std::nullopt;
  View host = uri.substr(2);
  host = host.substr(0, host.find_first_of("/?#"));
  if (const auto port = host.find(':'); port != View::npos) {
    if (!std::ranges::all_of(host.substr(port + 1), is_digit)) return std::nullopt;
    host = host.substr(0, port);
  }
  host = without_dot_behind(host);
  return is_boringssl_host(host) ? Text(lower(host)) : std::nullopt;
}

Text boringssl_uri_constraint(View text) {
  text = without_dot_behind(text);
  return is_boringssl_host(without_dot_before(text)) ? Text(lower(text)) : std::nullopt;
}

// --- rustls-webpki: src/subject_name/dns_name.rs ------------------------------------------------

bool is_webpki_label(View label) {
  constexpr std::size_t kLongest = 63;
  return !label.empty() && label.size() <= kLongest && label.front() != '-' &&
         label.back() != '-' && std::ranges::all_of(label, [](char c) {
           return is_alphanumeric(c) || c == '-' || c == '_';
         });
}

bool is_webpki_host(View host) {
  constexpr std::size_t kLongest = 253;
  if (host.size() > kLongest) return false;
  while (true) {
    const auto dot = host.find('.');
    const View label = host.substr(0, dot);
    if (!is_webpki_label(label)) return false;
    if (dot == View::npos) return !std::ranges::all_of(label, is_digit);
    host.remove_prefix(dot + 1);
  }
}

/// A wildcard has two labels behind it.
Text webpki_dns(View name) {
  View host = name;
  if (name.starts_with("*.")) {
    host.remove_prefix(2);
    if (host.find('.') == View::npos) return std::nullopt;
  }
  constexpr std::size_t kLongest = 253;
  return name.size() <= kLongest && is_webpki_host(host) ? Text(lower(name)) : std::nullopt;
}

Text webpki_dns_constraint(View text) {
  if (text.empty()) return "";
  return is_webpki_host(without_dot_before(text)) ? Text(lower(text)) : std::nullopt;
}

/// Of what is refused anyway.
Text unread(View /*text*/) {
  return std::nullopt;
}

std::optional<MailText> unread_mail(View /*address*/) {
  return std::nullopt;
}

}  // namespace

const NameReader& own_names() {
  static constexpr NameReader kReader = {.dns = own_dns,
                                         .mail = own_mail,
                                         .uri = own_uri,
                                         .dns_constraint = own_dns_constraint,
                                         .mail_constraint = own_host_constraint,
                                         .uri_constraint = own_host_constraint,
                                         .folds_excluded_mail = false,
                                         .takes_minimum_of_zero = true};
  return kReader;
}

const NameReader& boringssl_names() {
  static constexpr NameReader kReader = {.dns = boringssl_dns,
                                         .mail = boringssl_mail,
                                         .uri = boringssl_uri,
                                         .dns_constraint = boringssl_dns_constraint,
                                         .mail_constraint = boringssl_mail_domain,
                                         .uri_constraint = boringssl_uri_constraint,
                                         .folds_excluded_mail = false,
                                         .match_ends_the_list = true};
  return kReader;
}

const NameReader& webpki_names() {
  static constexpr NameReader kReader = {.dns = webpki_dns,
                                         .mail = unread_mail,
                                         .uri = unread,
                                         .dns_constraint = webpki_dns_constraint,
                                         .mail_constraint = unread,
                                         .uri_constraint = unread,
                                         .networks = NetworkSearch::kInTurn};
  return kReader;
}

}  // namespace meshtrust::pki
