#include "profiles/text_kind.h"

#include "base/text.h"
#include "base/time.h"
#include "istio/names.h"
#include "istio/version.h"
#include "profiles/init.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace meshtrust::profiles {
namespace {

using MaybeRefusal = std::optional<Refusal>;

constexpr std::size_t kLongestLabel = 63;
constexpr std::size_t kLongestTrustDomain = 255;
constexpr std::size_t kLongestDnsName = 253;
constexpr std::size_t kLongestAddress = 45;  // of IPv6 with an IPv4 address at its end
// "istio-eastwestgateway-R" is a Service and so a label of 63 characters.
constexpr std::size_t kLongestRevision = 41;
constexpr std::size_t kLongestDuration = 40;
constexpr std::size_t kLongestVersion = 20;
constexpr std::size_t kLongestLine = 1024;
// X.520 ub-common-name, ub-organization-name, ub-organizational-unit-name.
constexpr std::size_t kLongestShortNameValue = 64;
// X.520 ub-locality-name, ub-state-name.
constexpr std::size_t kLongestLongNameValue = 128;
constexpr std::string_view kRootSuffix = " Root CA";

constexpr const char* kDnsLabelPattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$";
constexpr const char* kLinePattern =
    R"([^\u0000-\u0020\u007f-\u009f]([^\u0000-\u001f\u007f-\u009f]*[^\u0000-\u0020\u007f-\u009f])?$)";

std::string quoted(std::string_view text) {
  return fmt::format("'{}'", base::printable(text, 80));
}

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

MaybeRefusal refuse_dns_label(std::string_view text) {
  if (base::is_dns_label(text)) return std::nullopt;
  return Refusal{.message = quoted(text) +
                            " is not a DNS-1123 label, expected lower-case letters, digits and '-'",
                 .hint = fmt::format("for instance '{}'", cluster_name_from_context(text))};
}

MaybeRefusal refuse_cluster_name(std::string_view text) {
  if (text != istio::kUnnamedCluster) return refuse_dns_label(text);
  return Refusal{.message = quoted(text) + " is what istiod calls a cluster without a name",
                 .hint = "give each cluster a name of its own, like 'east'"};
}

MaybeRefusal refuse_label_value(std::string_view text) {
  const bool fits =
      !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
      std::all_of(text.begin(), text.end(),
                  [](char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; });
  if (fits) return std::nullopt;
  return Refusal{.message = quoted(text) +
                            " cannot be the value of a label, expected letters, digits, '-', '_' "
                            "and '.', a letter or digit at both ends",
                 .hint = {}};
}

MaybeRefusal refuse_trust_domain(std::string_view text) {
  const auto labels = base::split(text, '.');
  if (std::all_of(labels.begin(), labels.end(), base::is_dns_label)) return std::nullopt;
  return Refusal{.message = quoted(text) +
                            " is not a trust domain, expected a lower-case DNS name like " +
                            quoted(istio::kDefaultTrustDomain),
                 .hint = text.starts_with("spiffe://") ? "leave out 'spiffe://'" : ""};
}

MaybeRefusal refuse_duration(std::string_view text) {
  if (base::parse_duration(text)) return std::nullopt;
  return Refusal{.message = quoted(text) +
                            " is not a duration of at most 100 years, expected days, hours, "
                            "minutes, seconds, largest first",
                 .hint = "write it like 90d, 24h or 1d12h"};
}

MaybeRefusal refuse_istio_version(std::string_view text) {
  const auto version = istio::parse_version(text);
  if (version && istio::is_supported(*version)) return std::nullopt;
  return Refusal{.message = version ? fmt::format("Istio {} is not supported, expected {}",
                                                  quoted(text), istio::supported_versions())
                                    : version.error().message,
                 .hint = version ? "" : "write all three numbers in quotes, like \"1.30.3\""};
}

/// C0 controls, DEL, and in UTF-8 (C2 80 to C2 9F) the C1 controls: a terminal obeys them all.
bool has_control_characters(std::string_view text) {
  unsigned char before = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7f || (before == 0xc2 && byte < 0xa0)) return true;
    before = byte;
  }
  return false;
}

bool is_line(std::string_view text) {
  return !text.empty() && text.front() != ' ' && text.back() != ' ' &&
         !has_control_characters(text);
}

MaybeRefusal refuse_line(std::string_view text) {
  if (is_line(text)) return std::nullopt;
  if (text.empty()) return Refusal{.message = "found an empty text", .hint = {}};
  return Refusal{
      .message = quoted(text) + " has control characters or blanks at its ends, expected one line",
      .hint = {}};
}

/// A scheme as in RFC 3986 3.1, followed by "://".
bool is_url(std::string_view text) {
  const auto scheme = text.substr(0, std::min(text.find("://"), text.size()));
  const bool starts_with_letter = !scheme.empty() && is_alphanumeric(scheme.front()) &&
                                  (scheme.front() < '0' || scheme.front() > '9');
  return scheme.size() < text.size() && starts_with_letter &&
         std::all_of(scheme.begin(), scheme.end(),
                     [](char c) { return is_alphanumeric(c) || c == '+' || c == '-' || c == '.'; });
}

MaybeRefusal refuse_folder(std::string_view text) {
  if (!is_url(text)) return refuse_line(text);
  return Refusal{.message = quoted(text) + " is a URL, expected the path of a folder",
                 .hint = "the trust store is a folder beside the mesh file, like 'shop.trust'"};
}

MaybeRefusal refuse_country(std::string_view text) {
  const auto is_capital = [](char c) { return c >= 'A' && c <= 'Z'; };
  if (text.size() == 2 && std::all_of(text.begin(), text.end(), is_capital)) return std::nullopt;
  return Refusal{.message = quoted(text) + " is not a country code, expected two capital letters",
                 .hint = {}};
}

MaybeRefusal refuse_revision(std::string_view text) {
  if (text == istio::kDefaultRevision) {
    return Refusal{.message = quoted(text) + " is what the revision without a name is called",
                   .hint = "leave the key out"};
  }
  return text.empty() ? std::nullopt : refuse_dns_label(text);
}

bool is_dns_name(std::string_view text) {
  const auto labels = base::split(text, '.');
  return std::all_of(labels.begin(), labels.end(), base::is_dns_label);
}

MaybeRefusal refuse_dns_name(std::string_view text) {
  if (is_dns_name(text)) return std::nullopt;
  return Refusal{.message = quoted(text) + " is not a lower-case DNS name", .hint = {}};
}

MaybeRefusal refuse_annotation_key(std::string_view text) {
  const auto slash = text.find('/');
  const bool has_prefix = slash != std::string_view::npos;
  const bool fits = (!has_prefix || is_dns_name(text.substr(0, slash))) &&
                    !refuse_label_value(has_prefix ? text.substr(slash + 1) : text);
  if (fits) return std::nullopt;
  return Refusal{.message = quoted(text) + " cannot be the key of an annotation",
                 .hint = "it looks like 'example.com/name'"};
}

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

constexpr std::string_view kDigits = "0123456789";
constexpr std::string_view kAddressCharacters = "0123456789abcdefABCDEF:.";

MaybeRefusal refuse_ip_address(std::string_view text) {
  if (consists_of(text, kAddressCharacters)) return std::nullopt;
  return Refusal{.message = quoted(text) + " is not an IP address", .hint = {}};
}

MaybeRefusal refuse_address_range(std::string_view text) {
  const auto slash = std::min(text.find('/'), text.size());
  const auto length = text.substr(std::min(slash + 1, text.size()));
  const bool fits = consists_of(text.substr(0, slash), kAddressCharacters) &&
                    consists_of(length, kDigits) && length.size() <= 3;
  if (fits) return std::nullopt;
  return Refusal{.message = quoted(text) +
                            " is not a range of addresses, expected one like "
                            "10.0.0.0/8",
                 .hint = {}};
}

/// A host as it stands in a URL: a name, an IPv4 address, or an IPv6 address in brackets.
bool is_url_host(std::string_view host) {
  if (host.starts_with('[')) {
    return host.ends_with(']') && consists_of(host.substr(1, host.size() - 2), kAddressCharacters);
  }
  return !host.empty() && is_alphanumeric(host.front()) && is_alphanumeric(host.back()) &&
         std::all_of(host.begin(), host.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-' || c == '.'; });
}

bool is_url_path(std::string_view path) {
  return std::all_of(path.begin(), path.end(), [](char c) {
    return is_alphanumeric(c) || std::string_view("-._~/%").find(c) != std::string_view::npos;
  });
}

bool is_port(std::string_view text) {
  return consists_of(text, kDigits) && text.size() <= 5;
}

MaybeRefusal refuse_server(std::string_view text) {
  constexpr std::string_view kScheme = "https://";
  const bool is_whole = text.starts_with(kScheme);
  const std::string_view rest = is_whole ? text.substr(kScheme.size()) : text;
  const auto path = is_whole ? std::min(rest.find('/'), rest.size()) : rest.size();
  const std::string_view authority = rest.substr(0, path);
  const auto bracket = authority.rfind(']');
  const auto colon = authority.find(
      ':', authority.starts_with('[') && bracket != std::string_view::npos ? bracket : 0);
  const bool has_port = colon != std::string_view::npos;
  const bool fits = is_url_host(authority.substr(0, colon)) &&
                    (has_port ? is_port(authority.substr(colon + 1)) : is_whole) &&
                    is_url_path(rest.substr(path));
  if (fits) return std::nullopt;
  return Refusal{
      .message = quoted(text) + " is not an API server, expected https://HOST:PORT or HOST:PORT",
      .hint = {}};
}

/// Loosely: what a registry makes of it is seen when the image is pulled.
MaybeRefusal refuse_image(std::string_view text) {
  const bool fits =
      !text.empty() && is_alphanumeric(text.front()) && is_alphanumeric(text.back()) &&
      text.find("//") == std::string_view::npos &&
      std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || std::string_view("-._:@/").find(c) != std::string_view::npos;
      });
  if (fits) return std::nullopt;
  return Refusal{.message = quoted(text) +
                            " is not part of an image reference, expected REGISTRY/PATH with or "
                            "without :TAG",
                 .hint = is_url(text) ? "leave out the scheme" : ""};
}

/// All patches of the minor releases that are supported.
std::string version_pattern() {
  std::vector<std::string> minors;
  for (int minor = istio::kOldestSupportedMinor; minor <= istio::kNewestSupportedMinor; ++minor) {
    minors.push_back(std::to_string(minor));
  }
  return fmt::format("^{}\\.({})\\.(0|[1-9][0-9]{{0,3}})$", istio::kSupportedMajor,
                     base::join(minors, "|"));
}

}  // namespace

std::optional<Refusal> refuse(const TextKind& kind, std::string_view text) {
  const std::size_t length = base::display_width(text);
  if (length <= kind.longest_characters) return kind.refuse(text);
  return Refusal{.message = fmt::format("'{}' has {} characters, expected at most {}",
                                        base::printable(text, 30), length, kind.longest_characters),
                 .hint = {}};
}

const TextKind& dns_label_kind() {
  static const TextKind kind{kDnsLabelPattern, kLongestLabel, refuse_dns_label};
  return kind;
}

const TextKind& mesh_name_kind() {
  static const TextKind kind{kDnsLabelPattern, kLongestShortNameValue - kRootSuffix.size(),
                             refuse_dns_label};
  return kind;
}

const TextKind& cluster_name_kind() {
  static const TextKind kind{kDnsLabelPattern, kLongestLabel, refuse_cluster_name};
  return kind;
}

const TextKind& label_value_kind() {
  static const TextKind kind{"^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$", kLongestLabel,
                             refuse_label_value};
  return kind;
}

const TextKind& trust_domain_kind() {
  static const std::string label = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
  static const TextKind kind{fmt::format(R"(^{0}(\.{0})*$)", label), kLongestTrustDomain,
                             refuse_trust_domain};
  return kind;
}

const TextKind& duration_kind() {
  static const TextKind kind{"^(?=.*[1-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?$",
                             kLongestDuration, refuse_duration};
  return kind;
}

const TextKind& istio_version_kind() {
  static const TextKind kind{version_pattern(), kLongestVersion, refuse_istio_version};
  return kind;
}

const TextKind& revision_kind() {
  static const TextKind kind{"^(?!default$)([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$", kLongestRevision,
                             refuse_revision};
  return kind;
}

const TextKind& dns_name_kind() {
  static const TextKind kind{trust_domain_kind().pattern, kLongestDnsName, refuse_dns_name};
  return kind;
}

const TextKind& annotation_key_kind() {
  static const std::string dns_label = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?";
  static const TextKind kind{
      fmt::format(R"(^({0}(\.{0})*/)?[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$)", dns_label),
      kLongestDnsName + 1 + kLongestLabel, refuse_annotation_key};
  return kind;
}

const TextKind& ip_address_kind() {
  static const TextKind kind{"^[0-9A-Fa-f:.]+$", kLongestAddress, refuse_ip_address};
  return kind;
}

const TextKind& address_range_kind() {
  static const TextKind kind{"^[0-9A-Fa-f:.]+/[0-9]{1,3}$", kLongestAddress + 4,
                             refuse_address_range};
  return kind;
}

const TextKind& image_kind() {
  static const TextKind kind{"^(?!.*//)[A-Za-z0-9]([-A-Za-z0-9._:@/]*[A-Za-z0-9])?$", kLongestLine,
                             refuse_image};
  return kind;
}

const TextKind& server_kind() {
  static const std::string host = R"(([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\]))";
  static const TextKind kind{
      fmt::format("^(https://{0}(:[0-9]{{1,5}})?(/[-A-Za-z0-9._~/%]*)?|{0}:[0-9]{{1,5}})$", host),
      kLongestLine, refuse_server};
  return kind;
}

const TextKind& line_kind() {
  static const TextKind kind{std::string("^") + kLinePattern, kLongestLine, refuse_line};
  return kind;
}

const TextKind& folder_kind() {
  static const TextKind kind{std::string("^(?![A-Za-z][-+.A-Za-z0-9]*://)") + kLinePattern,
                             kLongestLine, refuse_folder};
  return kind;
}

const TextKind& short_name_value_kind() {
  static const TextKind kind{line_kind().pattern, kLongestShortNameValue, refuse_line};
  return kind;
}

const TextKind& long_name_value_kind() {
  static const TextKind kind{line_kind().pattern, kLongestLongNameValue, refuse_line};
  return kind;
}

const TextKind& country_kind() {
  static const TextKind kind{"^[A-Z]{2}$", 2, refuse_country};
  return kind;
}

}  // namespace meshtrust::profiles
