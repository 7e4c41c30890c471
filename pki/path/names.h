#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

// Names as certificates carry them, reduced to what can be compared. No library type is seen here.

namespace meshtrust::pki {

/// Appends `part` so that several of them are told apart whatever is in them: names hold any octet.
void append_with_length(std::string& text, std::string_view part);

/// A distinguished name for comparing. `raw` is its DER; `rdns` is one text for each RDN with
/// case, blanks and string types folded away (RFC 5280 7.1), so that two names are equal when
/// their lists are, and one is below another when its list begins with the other's.
struct PathName {
  std::string raw;
  std::vector<std::string> rdns;
  std::string text;  ///< for people: "O=Shop,CN=Shop Mesh Root"
  /// Whether each value is of a string type that Go knows, and obeys its alphabet (X.680 41.4).
  bool has_sound_texts = true;

  bool empty() const { return rdns.empty(); }
  bool has_empty_rdn = false;  ///< an RDN of no attribute, which `rdns` leaves out
  /// The folded name as one text, for maps.
  std::string key() const;
};

/// The forms of RFC 5280 4.2.1.6.
enum class NameForm {
  kOther,
  kEmail,
  kDns,
  kX400,
  kDirectory,
  kEdiParty,
  kUri,
  kIp,
  kRegisteredId,
};
/// "dNSName", "iPAddress", ...
std::string_view name_of(NameForm form);

/// One GeneralName. `value` is the text of a DNS name, URI or mail address, the octets of an IP
/// address, and for every other form its DER; `rdns` only for a directory name.
struct PathGeneralName {
  NameForm form = NameForm::kOther;
  std::string value;
  std::vector<std::string> rdns;
  std::string text;  ///< for people

  friend bool operator==(const PathGeneralName&, const PathGeneralName&) = default;
};

/// Of ASCII, whatever the locale is.
constexpr bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
constexpr bool is_alphanumeric(char c) {
  return is_letter(c) || is_digit(c);
}

/// A host without the dot of the root, which may stand at its end.
constexpr std::string_view without_dot_behind(std::string_view host) {
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

/// ASCII letters in lower case; other bytes as they are.
std::string lower(std::string_view text);

/// "10.0.0.1" or "2001:db8::1" as 4 or 16 octets; nothing when `text` is no address.
std::optional<std::string> ip_octets(std::string_view text);
/// The inverse; hexadecimal when `octets` are neither 4 nor 16.
std::string ip_text(std::string_view octets);

/// Whether `text` can be the DNS name in a certificate: labels of letters, digits, '_' and
/// inner '-', none empty or longer than 63, at most 253 in all, no dot at the end. With `wildcard`
/// the first label may be "*" (RFC 6125 6.4.3).
bool is_dns_name(std::string_view text, bool wildcard);

/// A last label of digits alone is an address to everybody who resolves it.
bool ends_in_number(std::string_view host);

/// The parts of "local@domain"; nothing unless there is exactly one '@', both parts are there,
/// and the domain is a DNS name.
struct Mailbox {
  std::string_view local;
  std::string_view domain;
};
std::optional<Mailbox> mailbox_of(std::string_view address);

/// The host of a URI as name constraints compare it: nothing unless the URI has an authority of
/// a plain DNS name and perhaps a port. User information, addresses, percent signs, a dot at the
/// end and anything that is not ASCII are refused, since readers of URIs disagree about them.
std::optional<std::string_view> constrained_host(std::string_view uri);

/// Scheme and host in lower case, the rest as it is (RFC 5280 7.4).
std::string normal_uri(std::string_view uri);

/// What somebody expects to talk to.
struct ReferenceName {
  NameForm form = NameForm::kDns;  ///< kDns, kIp, kEmail or kUri
  std::string value;               ///< as given; an IP address as octets

  friend bool operator==(const ReferenceName&, const ReferenceName&) = default;
};

/// Whether the DNS name `presented` is the host `wanted` by RFC 9525: a wildcard is the whole first
/// label, stands for exactly one, and has at least two labels behind it. The same text is the same
/// name, be it no host's.
bool dns_name_matches(std::string_view presented, std::string_view wanted);

/// Whether `presented` names what `wanted` asks for: DNS names as above, addresses by octets, mail
/// by RFC 5280 7.5, URIs by 7.4.
bool names(const PathGeneralName& presented, const ReferenceName& wanted);

}  // namespace meshtrust::pki
