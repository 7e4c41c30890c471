#include "ledger/codec.h"

#include "base/encoding.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace meshtrust::ledger {
namespace {

using base::Code;
using base::fail;
using base::Result;

/// How the detail of `Pushed` begins where a person got files.
constexpr std::string_view kWrittenTo = "written to ";
/// What stands before the digest of a root key's file.
constexpr std::string_view kDigestPrefix = "key file sha256 ";
/// How a later root tells of the one before, and of who vouches for it.
constexpr std::string_view kAfter = "after ";
constexpr std::string_view kBySignature = "signed";
constexpr std::string_view kFromOutside = "vouched for outside";

/// The words before and after the first `separator`.
std::pair<std::string, std::string> two_parts(const std::string& text, std::string_view separator) {
  const std::size_t at = text.find(separator);
  if (at == std::string::npos) return {text, {}};
  return {text.substr(0, at), text.substr(at + separator.size())};
}

base::Failure<base::Error> unreadable(const Line& line) {
  return fail(Code::kCorrupt, fmt::format("its detail is no '{}'", line.event));
}

Result<const pki::Certificate*> minted(const Line& line, const FindCertificate& find) {
  const pki::Certificate* found = find(line.fingerprint);
  if (found != nullptr) return found;
  return fail(Code::kCorrupt,
              fmt::format("the certificate '{}' that it mints is missing", line.fingerprint));
}

Result<base::Bytes> der_in(const Line& line, std::string_view base64) {
  auto der = base::from_base64(base64);
  if (!der) return unreadable(line);
  return der;
}

std::string digest_in(const std::string& text) {
  return text.starts_with(kDigestPrefix) ? text.substr(kDigestPrefix.size()) : std::string();
}

std::string digest_text(const std::string& digest) {
  return digest.empty() ? std::string() : fmt::format("{}{}", kDigestPrefix, digest);
}

// --- from an event to its line -------------------------------------------------------------------

void write(const StoreCreated& /*event*/, Line& /*line*/) {}
void write(const KeyPlanned& event, Line& line) {
  line.detail = event.key;
}
void write(const KeyDiscarded& event, Line& line) {
  line.detail = event.key;
}
void write(const RootMinted& event, Line& line) {
  line.detail = digest_text(event.key_digest);
}
void write(const NextRootMinted& event, Line& line) {
  const bool is_signed = event.voucher == Voucher::kPredecessor;
  line.detail =
      fmt::format("{}{}, {}", kAfter, event.after, is_signed ? kBySignature : kFromOutside);
  if (!event.key_digest.empty()) line.detail += ", " + digest_text(event.key_digest);
}
void write(const BridgeMinted& /*event*/, Line& /*line*/) {}
void write(const IssuingMinted& /*event*/, Line& /*line*/) {}
void write(const IntermediateMinted& event, Line& line) {
  line.detail = base::to_base64(event.crl);
}
void write(const RootActivated& event, Line& line) {
  line.fingerprint = event.root;
}
void write(const RootRetired& event, Line& line) {
  line.fingerprint = event.root;
}
void write(const KeyDestroyed& event, Line& line) {
  line.fingerprint = event.root;
}
void write(const Subordinated& event, Line& line) {
  line.fingerprint = event.root;
  line.detail = base::to_base64(base::as_bytes(pki::to_pem(event.above)));
}
void write(const Pushing& /*event*/, Line& /*line*/) {}
void write(const Pushed& event, Line& line) {
  line.detail = event.written_to ? std::string(kWrittenTo) + *event.written_to : event.note;
}
void write(const Abandoned& event, Line& line) {
  line.detail = event.note;
}
void write(const Revoked& event, Line& line) {
  line.detail = event.reason;
}
void write(const Unrevoked& /*event*/, Line& /*line*/) {}
void write(const CrlMade& event, Line& line) {
  line.detail = base::to_base64(event.crl);
}
void write(const CrlGiven& event, Line& line) {
  line.fingerprint = event.root;
  line.detail = event.authority + " " + base::to_base64(event.crl);
}
void write(const Requested& event, Line& line) {
  line.detail = event.key + " " + event.key_digest;
}
void write(const RequestClosed& event, Line& line) {
  line.detail = event.key;
}
void write(const LockBroken& event, Line& line) {
  line.detail = event.holder;
}

// --- and back ------------------------------------------------------------------------------------

using Read = Result<Event> (*)(const Line& line, const FindCertificate& find);

Result<Event> read_next_root(const Line& line, const FindCertificate& find) {
  MESHTRUST_TRY(const pki::Certificate* certificate, minted(line, find));
  if (!line.detail.starts_with(kAfter)) return unreadable(line);
  const auto [after, rest] = two_parts(line.detail.substr(kAfter.size()), ", ");
  const auto [voucher, digest] = two_parts(rest, ", ");
  if (voucher != kBySignature && voucher != kFromOutside) return unreadable(line);
  return Event(
      NextRootMinted{.certificate = *certificate,
                     .after = after,
                     .voucher = voucher == kBySignature ? Voucher::kPredecessor : Voucher::kOutside,
                     .key_digest = digest_in(digest)});
}

Result<Event> read_intermediate(const Line& line, const FindCertificate& find) {
  MESHTRUST_TRY(const pki::Certificate* certificate, minted(line, find));
  MESHTRUST_TRY(base::Bytes crl, der_in(line, line.detail));
  return Event(IntermediateMinted{
      .certificate = *certificate, .cluster = line.cluster, .crl = std::move(crl)});
}

Result<Event> read_subordinated(const Line& line, const FindCertificate& /*find*/) {
  MESHTRUST_TRY(const base::Bytes pem, der_in(line, line.detail));
  auto above = pki::certificates_from_pem(base::as_text(pem));
  if (!above) return unreadable(line);
  return Event(Subordinated{.root = line.fingerprint, .above = *std::move(above)});
}

Result<Event> read_pushed(const Line& line, const FindCertificate& /*find*/) {
  Pushed event{.fingerprint = line.fingerprint, .cluster = line.cluster};
  if (line.detail.starts_with(kWrittenTo)) {
    event.written_to = line.detail.substr(kWrittenTo.size());
  } else {
    event.note = line.detail;
  }
  return Event(std::move(event));
}

Result<Event> read_crl_made(const Line& line, const FindCertificate& /*find*/) {
  MESHTRUST_TRY(base::Bytes crl, der_in(line, line.detail));
  return Event(
      CrlMade{.fingerprint = line.fingerprint, .cluster = line.cluster, .crl = std::move(crl)});
}

Result<Event> read_crl_given(const Line& line, const FindCertificate& /*find*/) {
  const auto [authority, base64] = two_parts(line.detail, " ");
  MESHTRUST_TRY(base::Bytes crl, der_in(line, base64));
  return Event(CrlGiven{.root = line.fingerprint, .authority = authority, .crl = std::move(crl)});
}

Result<Event> read_requested(const Line& line, const FindCertificate& /*find*/) {
  auto [key, digest] = two_parts(line.detail, " ");
  return Event(
      Requested{.cluster = line.cluster, .key = std::move(key), .key_digest = std::move(digest)});
}

/// A kind of event: how it is called, and since when.
struct Kind {
  std::string_view name;
  Format since;
  Read read;
};

/// One row a type, in the order of the variant; a test holds them together.
constexpr std::array<Kind, std::variant_size_v<Event>> kKinds{{
    {"store-created", Format::kUnsigned,
     [](const Line&, const FindCertificate&) -> Result<Event> { return Event(StoreCreated{}); }},
    {"key-planned", Format::kUnsigned,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(KeyPlanned{.key = line.detail});
     }},
    {"key-discarded", Format::kUnsigned,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(KeyDiscarded{.key = line.detail});
     }},
    {"root-minted", Format::kUnsigned,
     [](const Line& line, const FindCertificate& find) -> Result<Event> {
       MESHTRUST_TRY(const pki::Certificate* certificate, minted(line, find));
       return Event(RootMinted{.certificate = *certificate, .key_digest = digest_in(line.detail)});
     }},
    {"next-root-minted", Format::kRotating, read_next_root},
    {"bridge-minted", Format::kRotating,
     [](const Line& line, const FindCertificate& find) -> Result<Event> {
       MESHTRUST_TRY(const pki::Certificate* certificate, minted(line, find));
       return Event(BridgeMinted{.certificate = *certificate});
     }},
    {"issuing-minted", Format::kRotating,
     [](const Line& line, const FindCertificate& find) -> Result<Event> {
       MESHTRUST_TRY(const pki::Certificate* certificate, minted(line, find));
       return Event(IssuingMinted{.certificate = *certificate});
     }},
    {"intermediate-minted", Format::kUnsigned, read_intermediate},
    {"root-activated", Format::kRotating,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(RootActivated{.root = line.fingerprint});
     }},
    {"root-retired", Format::kRotating,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(RootRetired{.root = line.fingerprint});
     }},
    {"key-destroyed", Format::kRotating,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(KeyDestroyed{.root = line.fingerprint});
     }},
    {"subordinated", Format::kUnsigned, read_subordinated},
    {"pushing", Format::kUnsigned,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(Pushing{.fingerprint = line.fingerprint, .cluster = line.cluster});
     }},
    {"pushed", Format::kUnsigned, read_pushed},
    {"abandoned", Format::kUnsigned,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(Abandoned{
           .fingerprint = line.fingerprint, .cluster = line.cluster, .note = line.detail});
     }},
    {"revoked", Format::kUnsigned,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(Revoked{
           .fingerprint = line.fingerprint, .cluster = line.cluster, .reason = line.detail});
     }},
    {"unrevoked", Format::kUnsigned,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(Unrevoked{.fingerprint = line.fingerprint, .cluster = line.cluster});
     }},
    {"list-made", Format::kUnsigned, read_crl_made},
    {"list-given", Format::kUnsigned, read_crl_given},
    {"requested", Format::kUnsigned, read_requested},
    {"request-closed", Format::kUnsigned,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(RequestClosed{.cluster = line.cluster, .key = line.detail});
     }},
    {"lock-broken", Format::kUnsigned,
     [](const Line& line, const FindCertificate&) -> Result<Event> {
       return Event(LockBroken{.cluster = line.cluster, .holder = line.detail});
     }},
}};

const Kind& kind_of(const Event& event) {
  return kKinds.at(event.index());
}

}  // namespace

std::string_view name_of(const Event& event) {
  return kind_of(event).name;
}

Format format_of(const Event& event) {
  return kind_of(event).since;
}

Line line_of(const Event& event) {
  Line line{.event = std::string(name_of(event))};
  std::visit(
      [&line](const auto& one) {
        if constexpr (requires { one.fingerprint; }) line.fingerprint = one.fingerprint;
        if constexpr (requires { one.certificate; }) {
          line.fingerprint = one.certificate.fingerprint();
        }
        if constexpr (requires { one.cluster; }) line.cluster = one.cluster;
        write(one, line);
      },
      event);
  return line;
}

Result<Event> event_of(const Line& line, Format format, const FindCertificate& find) {
  const auto* const kind = std::ranges::find(kKinds, line.event, &Kind::name);
  // A format says which events may be met, so that no older program ever meets one that it does not
  // know: a line that is ahead of its format was not written by any of them.
  if (kind == kKinds.end() || kind->since > format) {
    return fail(Code::kCorrupt, "it records an unknown event");
  }
  return kind->read(line, find);
}

}  // namespace meshtrust::ledger
