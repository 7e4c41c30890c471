#include "ledger/codec.h"

#include "base/encoding.h"
#include "tests/ledger/scene.h"
#include "tests/support/matchers.h"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <map>
#include <set>

namespace meshtrust::ledger {
namespace {

using base::Code;
using ::testing::SizeIs;

const std::string kSome(64, 'a');
const base::Bytes kCrl{'C', 'R', 'L'};

/// An event and the line that stands for it in every store that was ever written.
struct Case {
  Event event;
  std::string name;
  std::string fingerprint;
  std::string cluster;
  std::string detail;
};

std::vector<Case> cases(const Scene& s) {
  const std::string a = s.a.certificate.fingerprint();
  const std::string b = s.b.certificate.fingerprint();
  const std::string east = s.east.certificate.fingerprint();
  const std::string pem = s.bridge.certificate.pem() + s.a.certificate.pem();
  return {
      {StoreCreated{}, "store-created", "", "", ""},
      {KeyPlanned{"0123456789abcdef"}, "key-planned", "", "", "0123456789abcdef"},
      {KeyDiscarded{"0123456789abcdef"}, "key-discarded", "", "", "0123456789abcdef"},
      {RootMinted{.certificate = s.a.certificate, .key_digest = "00ff"}, "root-minted", a, "",
       "key file sha256 00ff"},
      {RootMinted{.certificate = s.a.certificate}, "root-minted", a, "", ""},
      {NextRootMinted{.certificate = s.b.certificate, .after = a, .key_digest = "00ff"},
       "next-root-minted", b, "", "after " + a + ", signed, key file sha256 00ff"},
      {NextRootMinted{.certificate = s.b.certificate, .after = a, .voucher = Voucher::kOutside},
       "next-root-minted", b, "", "after " + a + ", vouched for outside"},
      {BridgeMinted{s.bridge.certificate}, "bridge-minted", s.bridge.certificate.fingerprint(), "",
       ""},
      {IssuingMinted{s.issuing.certificate}, "issuing-minted", s.issuing.certificate.fingerprint(),
       "", ""},
      {IntermediateMinted{.certificate = s.east.certificate, .cluster = "east", .crl = kCrl},
       "intermediate-minted", east, "east", "Q1JM"},
      {IntermediateMinted{.certificate = s.east.certificate, .cluster = "east"},
       "intermediate-minted", east, "east", ""},
      {RootActivated{b}, "root-activated", b, "", ""},
      {RootRetired{a}, "root-retired", a, "", ""},
      {KeyDestroyed{a}, "key-destroyed", a, "", ""},
      {Subordinated{.root = b, .above = {s.bridge.certificate, s.a.certificate}}, "subordinated", b,
       "", base::to_base64(base::as_bytes(pem))},
      {Pushing{east, "east"}, "pushing", east, "east", ""},
      {Pushed{.fingerprint = east, .cluster = "east", .written_to = "out"}, "pushed", east, "east",
       "written to out"},
      {Pushed{.fingerprint = east, .cluster = "east", .note = "seen"}, "pushed", east, "east",
       "seen"},
      {Abandoned{east, "east"}, "abandoned", east, "east", ""},
      {Revoked{east, "east", "keyCompromise"}, "revoked", east, "east", "keyCompromise"},
      {Unrevoked{east, "east"}, "unrevoked", east, "east", ""},
      {CrlMade{.fingerprint = a, .crl = kCrl}, "list-made", a, "", "Q1JM"},
      {CrlGiven{.root = a, .authority = kSome, .crl = kCrl}, "list-given", a, "", kSome + " Q1JM"},
      {Requested{"south", "0123456789abcdef", "00ff"}, "requested", "", "south",
       "0123456789abcdef 00ff"},
      {RequestClosed{"south", "0123456789abcdef"}, "request-closed", "", "south",
       "0123456789abcdef"},
      {LockBroken{"east", "alice@laptop"}, "lock-broken", "", "east", "alice@laptop"},
  };
}

FindCertificate certificates_of(const Scene& s) {
  return [&s](std::string_view fingerprint) -> const pki::Certificate* {
    for (const Identity* one : {&s.a, &s.b, &s.bridge, &s.issuing, &s.east}) {
      if (one->certificate.fingerprint() == fingerprint) return &one->certificate;
    }
    return nullptr;
  };
}

TEST(Codec, WritesEachEventAsItWasWrittenEver) {
  const Scene scene;
  for (const Case& each : cases(scene)) {
    const Line line = line_of(each.event);
    EXPECT_EQ(line.event, each.name);
    EXPECT_EQ(line.event, name_of(each.event));
    EXPECT_EQ(line.fingerprint, each.fingerprint) << each.name;
    EXPECT_EQ(line.cluster, each.cluster) << each.name;
    EXPECT_EQ(line.detail, each.detail) << each.name;
  }
}

TEST(Codec, ReadsEachEventAsItWasWritten) {
  const Scene scene;
  std::set<std::size_t> kinds;
  for (const Case& each : cases(scene)) {
    const Line line = line_of(each.event);
    const auto event = event_of(line, kNewestFormat, certificates_of(scene));
    ASSERT_THAT(event, test::Succeeds()) << each.name;
    EXPECT_EQ(event->index(), each.event.index()) << each.name;
    EXPECT_EQ(chain_digest({}, line_of(*event)), chain_digest({}, line)) << each.name;
    kinds.insert(event->index());
  }
  EXPECT_THAT(kinds, SizeIs(std::variant_size_v<Event>)) << "every kind of event has a case";
}

TEST(Codec, AnOlderFormatKnowsNoRotation) {
  const Scene scene;
  const std::set<std::string_view> late{"next-root-minted", "bridge-minted", "issuing-minted",
                                        "root-activated",   "root-retired",  "key-destroyed"};
  for (const Case& each : cases(scene)) {
    const bool is_late = late.contains(each.name);
    EXPECT_EQ(format_of(each.event), is_late ? Format::kRotating : Format::kUnsigned) << each.name;
    for (const Format format : {Format::kUnsigned, Format::kSigned}) {
      const auto event = event_of(line_of(each.event), format, certificates_of(scene));
      EXPECT_EQ(event.has_value(), !is_late) << each.name;
    }
  }
}

TEST(Codec, RefusesWhatItCannotRead) {
  const Scene scene;
  const std::string a = scene.a.certificate.fingerprint();
  const std::string b = scene.b.certificate.fingerprint();
  struct Bad {
    Line line;
    std::string told;
  };
  for (const Bad& each : std::vector<Bad>{
           {{.event = "merged"}, "it records an unknown event"},
           {{.event = "root-minted", .fingerprint = kSome},
            "the certificate '" + kSome + "' that it mints is missing"},
           {{.event = "next-root-minted", .fingerprint = b}, "its detail is no 'next-root-minted'"},
           {{.event = "next-root-minted", .fingerprint = b, .detail = "after " + a + ", believed"},
            "its detail is no 'next-root-minted'"},
           {{.event = "intermediate-minted", .fingerprint = a, .detail = "?"},
            "its detail is no 'intermediate-minted'"},
           {{.event = "list-made", .fingerprint = a, .detail = "Q"},
            "its detail is no 'list-made'"},
           {{.event = "list-given", .fingerprint = a, .detail = kSome + " Q"},
            "its detail is no 'list-given'"},
           {{.event = "subordinated", .fingerprint = a, .detail = "Q1JM"},
            "its detail is no 'subordinated'"}}) {
    EXPECT_THAT(event_of(each.line, kNewestFormat, certificates_of(scene)),
                test::FailsWith(Code::kCorrupt, each.told));
  }
}

}  // namespace
}  // namespace meshtrust::ledger
