#include "pki/container.h"

#include "base/encoding.h"
#include "base/text.h"
#include "pki/certificate.h"
#include "pki/chain.h"
#include "pki/der.h"
#include "pki/handle.h"
#include "pki/openssl_error.h"
#include "pki/pem.h"
#include "pki/pkcs12.h"

#include <fmt/format.h>
#include <openssl/pkcs7.h>

#include <algorithm>
#include <array>
#include <set>

namespace meshtrust::pki {
namespace {

using base::Code;
using base::Secret;

constexpr std::size_t kMostWrappings = 3;

struct WrappingText {
  Wrapping wrapping;
  std::string_view name;
  std::string_view description;
  std::string_view way_out;
};
constexpr std::array kTexts = {
    WrappingText{
        Wrapping::kByteOrderMark, "byte-order-mark",
        "has a UTF-8 byte order mark before a block: Go and BoringSSL do not see that block",
        R"(sed 's/\xEF\xBB\xBF//' FILE > NEW)"},
    WrappingText{Wrapping::kUtf16, "utf-16", "is UTF-16, as PowerShell writes text",
                 "iconv -f UTF-16 -t ASCII FILE > NEW"},
    WrappingText{Wrapping::kIndented, "indented",
                 "has its lines indented, as YAML does: no reader sees such a block",
                 "sed 's/^[[:blank:]]*//' FILE > NEW"},
    WrappingText{Wrapping::kEscapedNewlines, "escaped-newlines",
                 "holds '\\n' as two characters where its lines end",
                 "printf '%b' \"$(cat FILE)\" > NEW"},
    WrappingText{Wrapping::kBase64, "base64", "is base64 of PEM: encoded once too often",
                 "base64 -d FILE > NEW"},
    WrappingText{Wrapping::kBareBase64, "bare-base64", "is base64 without the BEGIN and END lines",
                 "base64 -d FILE | openssl x509 -inform DER -out NEW"}};

const WrappingText& text_of(Wrapping wrapping) {
  return *std::ranges::find(kTexts, wrapping, &WrappingText::wrapping);
}

Secret without_marks(std::string_view content) {
  Secret kept;
  kept.reserve(content.size());
  for (std::size_t at = 0; (at = content.find(kByteOrderMark)) != std::string_view::npos;) {
    kept.append(content.substr(0, at));
    content.remove_prefix(at + kByteOrderMark.size());
  }
  kept.append(content);
  return kept;
}

/// ASCII written in two octets a character, with a mark or without.
std::optional<Secret> from_utf16(std::string_view content) {
  if (content.size() < 2 || content.size() % 2 != 0) return std::nullopt;
  const auto octet = [&content](std::size_t i) { return static_cast<unsigned char>(content[i]); };
  constexpr unsigned char kFirst = 0xFE;
  constexpr unsigned char kSecond = 0xFF;
  const bool has_big_mark = octet(0) == kFirst && octet(1) == kSecond;
  const bool has_little_mark = octet(0) == kSecond && octet(1) == kFirst;
  const std::size_t high = has_big_mark || (!has_little_mark && octet(0) == 0) ? 0 : 1;
  Secret text;
  text.reserve(content.size() / 2);
  for (std::size_t i = has_big_mark || has_little_mark ? 2 : 0; i < content.size(); i += 2) {
    if (octet(i + high) != 0 || octet(i + 1 - high) == 0) return std::nullopt;
    text.append(content.substr(i + 1 - high, 1));
  }
  return text;
}

Secret without_indentation(std::string_view content) {
  Secret kept;
  kept.reserve(content.size());
  while (!content.empty()) {
    const std::size_t end = content.find('\n');
    const std::string_view line = content.substr(0, end == std::string_view::npos ? end : end + 1);
    content.remove_prefix(line.size());
    const std::size_t first = line.find_first_not_of(" \t");
    if (first != std::string_view::npos) kept.append(line.substr(first));
  }
  return kept;
}

/// PEM has neither quotes nor backslashes, so what is around it goes with them.
Secret without_escapes(std::string_view content) {
  Secret kept;
  kept.reserve(content.size());
  for (std::size_t i = 0; i < content.size(); ++i) {
    const char one = content[i];
    if (one == '\\' && i + 1 < content.size()) {
      const char next = content[++i];
      if (next == 'n') kept.append("\n");
    } else if (one == '"' || one == '\'') {
      kept.append("\n");
    } else {
      kept.append(content.substr(i, 1));
    }
  }
  return kept;
}

bool is_base64_text(std::string_view content) {
  constexpr std::size_t kLeast = 64;
  return content.size() >= kLeast && std::ranges::all_of(content, [](char one) {
           return (one >= 'A' && one <= 'Z') || (one >= 'a' && one <= 'z') ||
                  (one >= '0' && one <= '9') || one == '+' || one == '/' || one == '=' ||
                  one == '\n' || one == '\r';
         });
}

bool is_whole_sequence(base::ByteView der) {
  const auto outer = first_element(der);
  return outer && outer->tag == V_ASN1_SEQUENCE && outer->whole.size() == der.size();
}

struct Layer {
  Wrapping wrapping;
  Secret inside;
};

std::optional<Layer> take_base64(std::string_view content) {
  if (!is_base64_text(base::trim(content))) return std::nullopt;
  auto decoded = base::secret_from_base64(base::trim(content));
  if (!decoded) return std::nullopt;
  const std::string_view inside = base::reveal(*decoded, "what base64 holds: PEM, DER or neither");
  if (inside.find(kPemBegin) != std::string_view::npos) {
    return Layer{Wrapping::kBase64, *std::move(decoded)};
  }
  if (!is_whole_sequence(base::as_bytes(inside))) return std::nullopt;
  return Layer{Wrapping::kBareBase64, *std::move(decoded)};
}

/// The outermost wrapping.
std::optional<Layer> take_layer(std::string_view content) {
  if (content.find('\0') != std::string_view::npos) {
    if (auto text = from_utf16(content)) return Layer{Wrapping::kUtf16, *std::move(text)};
    return std::nullopt;  // DER, or nothing of ours
  }
  if (content.find(kPemBegin) == std::string_view::npos) return take_base64(content);
  if (content.find(std::string(kByteOrderMark) + std::string(kPemBegin)) !=
      std::string_view::npos) {
    return Layer{Wrapping::kByteOrderMark, without_marks(content)};
  }
  if (content.find("-----\\n") != std::string_view::npos ||
      content.find("-----\\r\\n") != std::string_view::npos) {
    return Layer{Wrapping::kEscapedNewlines, without_escapes(content)};
  }
  const auto is_indented = [](const PemMarker& marker) {
    return !marker.is_seen && marker.obstacle == "its line is indented";
  };
  if (std::ranges::any_of(find_markers(content), is_indented)) {
    return Layer{Wrapping::kIndented, without_indentation(content)};
  }
  return std::nullopt;
}

std::string wrapped_as(const std::vector<Wrapping>& wrappings) {
  std::vector<std::string> parts;
  parts.reserve(wrappings.size());
  for (const Wrapping one : wrappings) {
    parts.emplace_back(describe(one));
  }
  return "the file " + base::join(parts, ", and inside that ");
}

base::Error error_of(std::string what, std::string_view way_out = {}) {
  base::Error error{.code = Code::kInvalidInput, .message = std::move(what)};
  if (!way_out.empty()) error.hints.push_back("mend it: " + std::string(way_out));
  return error;
}

base::Error error_of_der(base::ByteView der) {
  if (is_pkcs12(der)) {
    return error_of("no certificate found: the file is PKCS#12",
                    "openssl pkcs12 -in FILE -nokeys -out NEW");
  }
  if (read_pkcs7(der)) {
    return error_of("no certificate found: the file is PKCS#7 in DER (.p7b)",
                    "openssl pkcs7 -inform DER -print_certs -in FILE -out NEW");
  }
  if (Certificate::from_der(der)) {
    return error_of("no certificate found: the file is a certificate in DER, wanted PEM",
                    "openssl x509 -inform DER -in FILE -out NEW");
  }
  return error_of("no certificate found");
}

base::Error error_of_blocks(const std::vector<PemMarker>& markers) {
  std::vector<std::string> labels;
  std::string_view way;
  const auto is_seen = [](const PemMarker& marker) { return marker.is_seen; };
  if (std::ranges::none_of(markers, is_seen)) {
    const PemMarker& first = markers.front();
    return error_of(fmt::format(
        "no certificate found: the '-----BEGIN {}-----' of line {} {}",
        base::printable(first.label, 60), first.line,
        first.obstacle.empty() ? "has no end line of its own" : "is not seen: " + first.obstacle));
  }
  for (const PemMarker& marker : markers) {
    if (!marker.is_seen) continue;
    const std::string label = "'" + base::printable(marker.label, 60) + "'";
    if (std::ranges::find(labels, label) == labels.end()) labels.push_back(label);
    if (marker.label == "PKCS7" || marker.label == "CMS" || marker.label == "PKCS #7 SIGNED DATA") {
      way = "openssl pkcs7 -print_certs -in FILE -out NEW";
    } else if (marker.label.ends_with("CERTIFICATE")) {
      way = "openssl x509 -in FILE -out NEW";
    }
  }
  return error_of("no certificate found, but " + base::join(labels, ", "), way);
}

/// Leaves first: who issued none of the others.
base::Result<std::string> pem_of_set(const std::vector<base::Bytes>& set, Order order) {
  std::vector<Certificate> certificates;
  std::string unread;
  for (const base::Bytes& der : set) {
    if (auto certificate = Certificate::from_der(der)) {
      certificates.push_back(*std::move(certificate));
    } else {
      unread += to_pem("CERTIFICATE", der);
    }
  }
  std::set<base::Bytes> issuers;  // of another certificate than their own
  for (const Certificate& one : certificates) {
    if (!one.is_self_issued()) issuers.insert(one.facts().issuer_der);
  }
  std::vector<const Certificate*> ends;
  std::string authorities;
  for (const Certificate& one : certificates) {
    if (issuers.contains(one.facts().subject_der)) {
      authorities += one.pem();
    } else {
      ends.push_back(&one);
    }
  }
  if (order == Order::kLeafFirst && ends.size() != 1) {
    return base::fail(Code::kInvalidInput,
                      fmt::format("is a PKCS#7 set with {} that issued none of the others, and "
                                  "nothing in it says which one is meant",
                                  base::count_of(ends.size(), "certificate")),
                      "openssl pkcs7 -print_certs -in FILE (-inform DER) prints them: put the "
                      "certificate in question first");
  }
  std::string leaves;
  for (const Certificate* one : ends) {
    leaves += one->pem();
  }
  return leaves + authorities + unread;
}

}  // namespace

std::string_view name_of(Wrapping wrapping) {
  return text_of(wrapping).name;
}

std::string_view describe(Wrapping wrapping) {
  return text_of(wrapping).description;
}

std::string_view way_out(Wrapping wrapping) {
  return text_of(wrapping).way_out;
}

std::optional<Unwrapped> unwrap(std::string_view content) {
  Unwrapped found;
  while (found.wrappings.size() < kMostWrappings) {
    auto layer = take_layer(content);
    if (!layer) break;
    found.wrappings.push_back(layer->wrapping);
    found.content = std::move(layer->inside);
    content = base::reveal(found.content, "what stands inside a wrapping");
  }
  if (found.wrappings.empty()) return std::nullopt;
  return found;
}

std::optional<Pkcs7Content> read_pkcs7(base::ByteView der) {
  using Pkcs7 = Handle<PKCS7, PKCS7_free>;
  const unsigned char* next = der.data();
  const Pkcs7 signed_data(d2i_PKCS7(nullptr, &next, static_cast<long>(der.size())));
  forget_openssl_errors();
  // NOLINTBEGIN(cppcoreguidelines-pro-type-union-access): OpenSSL's form, type looked at
  if (!signed_data || !PKCS7_type_is_signed(signed_data.get()) || signed_data->d.sign == nullptr) {
    return std::nullopt;
  }
  const STACK_OF(X509)* certificates = signed_data->d.sign->cert;
  const STACK_OF(X509_CRL)* lists = signed_data->d.sign->crl;
  // NOLINTEND(cppcoreguidelines-pro-type-union-access)
  Pkcs7Content found;
  for (int i = 0; i < sk_X509_num(certificates); ++i) {
    found.certificates.push_back(to_der(i2d_X509, sk_X509_value(certificates, i)));
  }
  for (int i = 0; i < sk_X509_CRL_num(lists); ++i) {
    found.lists.push_back(to_der(i2d_X509_CRL, sk_X509_CRL_value(lists, i)));
  }
  return found;
}

base::Error no_certificate_in(std::string_view content) {
  if (base::trim(content).empty()) return error_of("no certificate found: the file is empty");
  if (const auto unwrapped = unwrap(content)) {
    return error_of("no certificate found: " + wrapped_as(unwrapped->wrappings),
                    way_out(unwrapped->wrappings.front()));
  }
  const auto markers = find_markers(content);
  return markers.empty() ? error_of_der(base::as_bytes(content)) : error_of_blocks(markers);
}

base::Result<std::string> as_pem(std::string_view content, Order order) {
  if (const auto unwrapped = unwrap(content)) {
    return base::fail(
        error_of(wrapped_as(unwrapped->wrappings), way_out(unwrapped->wrappings.front())));
  }
  const auto markers = find_markers(content);
  if (markers.empty() && is_whole_sequence(base::as_bytes(content))) {
    const base::ByteView der = base::as_bytes(content);
    if (is_pkcs12(der)) return base::fail(no_certificate_in(content));
    if (const auto set = read_pkcs7(der)) return pem_of_set(set->certificates, order);
    return to_pem("CERTIFICATE", der);
  }
  if (markers.size() == 1 && markers.front().is_seen && markers.front().label == "PKCS7") {
    const PemText scanned = scan_pem(content);
    MESHTRUST_TRY(const base::Bytes der, decode(scanned.blocks.front()));
    if (const auto set = read_pkcs7(der)) return pem_of_set(set->certificates, order);
  }
  return std::string(content);
}

}  // namespace meshtrust::pki
