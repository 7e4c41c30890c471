#include "pki/path/name_reader.h"

#include <algorithm>
#include <array>

// crypto/x509 and net/url of Go 1.26, as far as a certificate's names go through them.

namespace meshtrust::pki {
namespace {

using Text = std::optional<std::string>;
using View = std::string_view;

bool is_one_of(char c, View set) {
  return set.find(c) != View::npos;
}

/// domainNameValid: labels of any printable characters, or nothing at all.
bool is_go_domain(View domain, bool is_constraint) {
  if (domain.empty()) return true;
  if (is_constraint && domain.starts_with('.')) domain.remove_prefix(1);
  const bool printable = std::ranges::all_of(domain, [](char c) { return c > ' ' && c < 0x7f; });
  return printable && !domain.starts_with('.') && !domain.ends_with('.') && !domain.empty() &&
         domain.find("..") == View::npos;
}

Text go_domain(View domain) {
  return is_go_domain(domain, false) ? Text(lower(domain)) : std::nullopt;
}

Text go_constraint(View domain) {
  return is_go_domain(domain, true) ? Text(lower(domain)) : std::nullopt;
}

Text go_uri_constraint(View domain) {
  return ip_octets(domain) ? std::nullopt : go_constraint(domain);
}

// --- mail addresses: parseRFC2821Mailbox --------------------------------------------------------

/// The characters up to the closing quote; `rest` is left behind it.
Text quoted_local_part(View& rest) {
  const auto is_text = [](char c) { return c > 0 && c != '\n' && c != '\r'; };
  std::string local;
  for (rest.remove_prefix(1); !rest.empty(); rest.remove_prefix(1)) {
    char c = rest.front();
    if (c == '"') {
      rest.remove_prefix(1);
      return local;
    }
    if (c == '\\') {
      rest.remove_prefix(1);
      if (rest.empty()) return std::nullopt;
      c = rest.front();
    } else if (c == '\t') {
      return std::nullopt;
    }
    if (!is_text(c)) return std::nullopt;
    local += c;
  }
  return std::nullopt;
}

Text plain_local_part(View& rest) {
  constexpr View kSpecial = "!#$%&'*+-/=?^_`{|}~.";
  std::string local;
  while (!rest.empty()) {
    const bool escaped = rest.front() == '\\';
    if (escaped) {
      rest.remove_prefix(1);
      if (rest.empty()) return std::nullopt;
    } else if (!is_letter(rest.front()) && !is_digit(rest.front()) &&
               !is_one_of(rest.front(), kSpecial)) {
      break;
    }
    local += rest.front();
    rest.remove_prefix(1);
  }
  const bool dotted =
      local.starts_with('.') || local.ends_with('.') || local.find("..") != std::string::npos;
  return local.empty() || dotted ? std::nullopt : Text(local);
}

std::optional<MailText> go_mail(View address) {
  View rest = address;
  auto local = rest.starts_with('"') ? quoted_local_part(rest) : plain_local_part(rest);
  if (!local || !rest.starts_with('@')) return std::nullopt;
  rest.remove_prefix(1);
  if (!is_go_domain(rest, false)) return std::nullopt;
  return MailText{.local = *std::move(local), .domain = lower(rest)};
}

// --- URIs: net/url ------------------------------------------------------------------------------

int hex_value(char c) {
  if (is_digit(c)) return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

enum class Part { kHost, kZone, kOther };

/// Whether %XX may stand for `c` there. In hosts it does for what is not ASCII, and for "%" itself.
bool may_be_escaped(char c, Part part) {
  constexpr View kOfZones = " !\"$&'()*+,-.:;<=>[]_~%";
  if (part == Part::kOther || c == '%' || (part == Part::kHost && (c & 0x80) != 0)) return true;
  return part == Part::kZone && (is_alphanumeric(c) || is_one_of(c, kOfZones));
}

/// `text` with its %XX decoded.
Text unescaped(View text, Part part) {
  constexpr View kOfHosts = "!\"$&'()*+,-.:;<=>[]_~";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '%') {
      const bool ascii = (c & 0x80) == 0;
      if (part != Part::kOther && ascii && !is_alphanumeric(c) && !is_one_of(c, kOfHosts)) {
        return std::nullopt;
      }
      out += c;
      continue;
    }
    if (i + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[i + 1]);
    const int low = hex_value(text[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    constexpr int kHalf = 16;
    out += static_cast<char>(high * kHalf + low);
    if (!may_be_escaped(out.back(), part)) return std::nullopt;
    i += 2;
  }
  return out;
}

bool is_optional_port(View text) {
  return text.empty() || (text.front() == ':' && std::ranges::all_of(text.substr(1), is_digit));
}

/// An address of IPv6 in brackets, perhaps with a zone behind "%25", and a port.
Text bracketed_host(View host) {
  const auto close = host.rfind(']');
  if (close == View::npos || !is_optional_port(host.substr(close + 1))) return std::nullopt;
  const View inside = host.substr(1, close - 1);
  const View address = inside.substr(0, inside.find("%25"));
  const auto octets = ip_octets(address);
  if (!octets || octets->size() == 4) return std::nullopt;
  const auto zone = unescaped(inside.substr(address.size()), Part::kZone);
  if (!zone || *zone == "%") return std::nullopt;
  return "[" + std::string(address) + *zone + "]" + std::string(host.substr(close + 1));
}

Text host_of(View scheme, View host) {
  const auto bracket = host.rfind('[');
  if (bracket != View::npos) return bracket == 0 ? bracketed_host(host) : std::nullopt;
  auto colon = host.find(':');
  const bool strict = lower(scheme) == "http" || lower(scheme) == "https";
  if (colon != View::npos && !strict) colon = host.rfind(':');
  if (colon != View::npos && !is_optional_port(host.substr(colon))) return std::nullopt;
  return unescaped(host, Part::kHost);
}

Text authority_host(View scheme, View authority) {
  const auto at = authority.rfind('@');
  if (at == View::npos) return host_of(scheme, authority);
  const View user = authority.substr(0, at);
  const bool valid = std::ranges::all_of(user, [](char c) {
    return is_letter(c) || is_digit(c) || is_one_of(c, "-._:~!$&'()*+,;=%@");
  });
  const View name = user.substr(0, user.find(':'));
  const View password = name.size() == user.size() ? View() : user.substr(name.size() + 1);
  const bool decodes = unescaped(name, Part::kOther) && unescaped(password, Part::kOther);
  if (!valid || !decodes) return std::nullopt;
  return host_of(scheme, authority.substr(at + 1));
}

/// The scheme; empty when there is none, nothing when there is only its colon.
std::optional<View> scheme_of(View uri) {
  for (std::size_t i = 0; i < uri.size(); ++i) {
    const char c = uri[i];
    if (is_letter(c) || (i > 0 && (is_digit(c) || is_one_of(c, "+-.")))) continue;
    if (c != ':') return View();
    return i == 0 ? std::nullopt : std::optional(uri.substr(0, i));
  }
  return View();
}

/// url.Parse: the host with its port, empty where there is none; nothing when it does not parse.
Text parsed_host(View uri) {
  const auto hash = uri.find('#');
  if (hash != View::npos && !unescaped(uri.substr(hash + 1), Part::kOther)) return std::nullopt;
  uri = uri.substr(0, hash);
  if (std::ranges::any_of(uri, [](char c) { return (c >= 0 && c < ' ') || c == 0x7f; })) {
    return std::nullopt;
  }
  if (uri == "*") return "";
  const auto scheme = scheme_of(uri);
  if (!scheme) return std::nullopt;
  View rest = scheme->empty() ? uri : uri.substr(scheme->size() + 1);
  rest = rest.substr(0, rest.find('?'));
  if (!rest.starts_with('/')) {
    if (!scheme->empty()) return "";
    const bool confusing = rest.substr(0, rest.find('/')).find(':') != View::npos;
    return confusing || !unescaped(rest, Part::kOther) ? std::nullopt : Text("");
  }
  const bool has_authority =
      rest.starts_with("//") && (!scheme->empty() || !rest.starts_with("///"));
  if (!has_authority) return unescaped(rest, Part::kOther) ? Text("") : std::nullopt;
  rest.remove_prefix(2);
  const View authority = rest.substr(0, rest.find('/'));
  if (!unescaped(rest.substr(authority.size()), Part::kOther)) return std::nullopt;
  return authority_host(*scheme, authority);
}

/// parseURIs: the host alone, which may be no address.
Text go_uri(View uri) {
  const auto parsed = parsed_host(uri);
  if (!parsed || parsed->empty() || parsed->starts_with('[')) return std::nullopt;
  View host = *parsed;
  if (const auto colon = host.find(':'); colon != View::npos && !host.ends_with(']')) {
    if (host.rfind(':') != colon || host.find_first_of("[]") != View::npos) return std::nullopt;
    host = host.substr(0, colon);
  }
  return ip_octets(host) ? std::nullopt : go_domain(host);
}

}  // namespace

bool go_reads_uri(View uri) {
  const auto host = parsed_host(uri);
  return host && is_go_domain(*host, false);
}

const NameReader& go_names() {
  static constexpr NameReader kReader = {.dns = go_domain,
                                         .mail = go_mail,
                                         .uri = go_uri,
                                         .dns_constraint = go_constraint,
                                         .mail_constraint = go_constraint,
                                         .uri_constraint = go_uri_constraint,
                                         .hosts_have_subdomains = true,
                                         .empty_hosts_are_all = true,
                                         .wildcard = "*",
                                         .folds_excluded_mail = false,
                                         .counts_bounds = false,
                                         .networks = NetworkSearch::kSorted};
  return kReader;
}

}  // namespace meshtrust::pki
