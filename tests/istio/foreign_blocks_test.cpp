#include "istio/foreign_blocks.h"

#include "base/files.h"
#include "pki/pem.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace meshtrust::istio {
namespace {

/// 2026-11-21T10:00:00Z, inside the life of every fixture.
constexpr base::Instant kNow{base::Seconds(1'795'255'200)};
constexpr std::string_view kMark = "\xEF\xBB\xBF";

std::string pem(const std::string& name) {
  base::DiskFiles files;
  return files.read(std::string(MESHTRUST_TEST_DATA "/data/trust/") + name + ".pem", 1U << 20U)
      .value();
}

/// A block of another kind; what is in it is looked at by nobody here.
std::string block(std::string_view label) {
  return pki::to_pem(label, base::as_bytes("x"));
}

std::string relabelled(std::string text, std::string_view label) {
  constexpr std::string_view kOld = "CERTIFICATE-";
  for (const std::string_view line : {"BEGIN ", "END "}) {
    const std::size_t at = text.find(std::string(line) + std::string(kOld));
    text.replace(at + line.size(), kOld.size() - 1, label);
  }
  return text;
}

struct Case {
  std::string name;
  PublicBundle bundle;
  LoadOutcome outcome;
  std::vector<std::string> found;  ///< of this room: "severity code: message"
};

std::vector<std::string> found_in(const std::vector<BundleProblem>& problems) {
  std::vector<std::string> found;
  for (const BundleProblem& one : problems) {
    found.push_back(std::string(pki::name_of(one.severity)) + " " + one.code + ": " + one.message);
  }
  return found;
}

std::vector<Case> cases() {
  const std::string east = pem("east");
  const std::string root = pem("root");
  const auto chain = [&](const std::string& text) { return PublicBundle{east, text, root}; };
  const auto roots = [&](const std::string& text) { return PublicBundle{east, east, text}; };
  const auto signing = [&](const std::string& text) { return PublicBundle{text, east, root}; };
  const std::string replace = "; replace the key, taking the block out does not bring it back";
  return {
      {"a key behind the chain",
       chain(east + block("EC PRIVATE KEY")),
       LoadOutcome::kLoads,
       {"critical private-key-among-certificates: cert-chain.pem: block 2 (line 12) is a private "
        "key ('EC PRIVATE KEY'): istiod sends this file to every workload, and ztunnel refuses it" +
        replace}},
      {"a key before the chain",
       chain(block("PRIVATE KEY") + east),
       LoadOutcome::kRefusesToStart,
       {"critical private-key-among-certificates: cert-chain.pem: block 1 (line 1) is a private "
        "key "
        "('PRIVATE KEY'): istiod sends this file to every workload, and ztunnel refuses it; istiod "
        "stops at the block when it starts" +
        replace}},
      {"an encrypted key behind the roots",
       roots(root + block("ENCRYPTED PRIVATE KEY")),
       LoadOutcome::kRefusesToStart,
       {"critical private-key-among-certificates: root-cert.pem: block 2 (line 12) is a private "
        "key "
        "('ENCRYPTED PRIVATE KEY'): istiod publishes this file in every namespace; istiod stops at "
        "the block when it starts" +
        replace}},
      {"a key that Go does not see",
       roots(root + " " + block("PRIVATE KEY")),
       LoadOutcome::kLoads,
       {"critical private-key-among-certificates: root-cert.pem: block 2 (line 12) is a private "
        "key "
        "('PRIVATE KEY'): istiod publishes this file in every namespace" +
        replace}},
      {"a key beside the signing certificate",
       signing(east + block("RSA PRIVATE KEY")),
       LoadOutcome::kLoads,
       {"critical private-key-among-certificates: ca-cert.pem: block 2 (line 12) is a private key "
        "('RSA PRIVATE KEY'): whoever got the file for a certificate has the key" +
        replace}},
      {"a request in the chain",
       chain(east + block("CERTIFICATE REQUEST")),
       LoadOutcome::kLoads,
       {"critical foreign-block: cert-chain.pem: block 2 (line 12) is a certificate request, "
        "wanted "
        "'CERTIFICATE': istiod sends it to every workload with the chain, and ztunnel refuses such "
        "a chain"}},
      {"a list among the roots",
       roots(root + block("X509 CRL")),
       LoadOutcome::kRefusesToStart,
       {"critical foreign-block: root-cert.pem: block 2 (line 12) is 'X509 CRL', wanted "
        "'CERTIFICATE': istiod stops at it"}},
      {"PKCS#7 before the signing certificate",
       signing(block("PKCS7") + east),
       LoadOutcome::kRefusesToStart,
       {"critical foreign-block: ca-cert.pem: block 1 (line 1) is 'PKCS7', wanted 'CERTIFICATE': "
        "istiod stops at it"}},
      {"a trusted certificate of OpenSSL behind the signing one",
       signing(east + relabelled(root, "TRUSTED CERTIFICATE")),
       LoadOutcome::kLoads,
       {"warning foreign-block-passed-over: ca-cert.pem: block 2 (line 12) is 'TRUSTED "
        "CERTIFICATE', and istiod reads the first block alone"}},
      {"the old label on the signing certificate, which Go does not look at",
       signing(relabelled(east, "X509 CERTIFICATE")),
       LoadOutcome::kLoads,
       {}},
      {"the old label on a root, which Go's pools pass over",
       roots(root + relabelled(pem("other-root"), "X509 CERTIFICATE")),
       LoadOutcome::kLoads,
       {"warning foreign-block-passed-over: root-cert.pem: block 2 (line 12) is 'X509 "
        "CERTIFICATE', "
        "wanted 'CERTIFICATE': Go (istiod, agents) passes it over, so it is no root"}},
      {"a byte order mark before the first of two",
       chain(std::string(kMark) + east + root),
       LoadOutcome::kLoads,
       {"warning hidden-block: cert-chain.pem: block 1 (line 1) is not seen by Go (istiod) nor "
        "BoringSSL (Envoy): a UTF-8 byte order mark stands before it"}},
      {"certificates alone, with text around",
       chain("East:\n" + east + "Root:\n" + root),
       LoadOutcome::kLoads,
       {}},
  };
}

TEST(ForeignBlocks, AreNamedWithFileAndBlockAndWhatIstiodDoes) {
  for (const Case& one : cases()) {
    const BundleQuestion question{.bundle = one.bundle, .at = kNow};
    EXPECT_EQ(found_in(problems_of_foreign_blocks(question)), one.found) << one.name;
    const BundleVerdict verdict = judge_bundle(question);
    EXPECT_EQ(verdict.outcome, one.outcome) << one.name;
  }
}

TEST(ForeignBlocks, AreToldOfTheFormWithTlsCrtByItsOwnNames) {
  const std::string east = pem("east");
  const std::string root = pem("root");
  const std::string cut = east.substr(0, east.size() - 1);
  const PublicBundle bundle{cut + "\n" + block("PRIVATE KEY"), east + root,
                            root + block("CERTIFICATE REQUEST")};
  const PublicBundle joined{cut, cut + root, root};
  EXPECT_EQ(
      found_in(
          problems_of_foreign_blocks({.bundle = bundle, .at = kNow, .form = BundleForm::kTls})),
      (std::vector<std::string>{
          "critical private-key-among-certificates: tls.crt: block 2 (line 12) is a private key "
          "('PRIVATE KEY'): istiod sends this file to every workload, and ztunnel refuses it; "
          "replace the key, taking the block out does not bring it back",
          "critical foreign-block: ca.crt: block 2 (line 12) is a certificate request, wanted "
          "'CERTIFICATE': istiod stops at it"}));
  const BundleVerdict verdict =
      judge_bundle({.bundle = joined, .at = kNow, .form = BundleForm::kTls});
  EXPECT_EQ(verdict.outcome, LoadOutcome::kRefusesToStart);
  EXPECT_EQ(found_in(verdict.problems),
            (std::vector<std::string>{"critical unreadable-file: tls.crt does not end in a "
                                      "newline: istiod joins it with ca.crt "
                                      "as they are, and what comes of it is no PEM"}));
}

TEST(ForeignBlocks, OfTheListsAreKeysAlone) {
  const PublicBundle bundle{pem("east"), pem("east"), pem("root"),
                            block("X509 CRL") + block("EC PRIVATE KEY")};
  EXPECT_EQ(
      found_in(problems_of_foreign_blocks({.bundle = bundle, .at = kNow})),
      (std::vector<std::string>{
          "critical private-key-among-certificates: ca-crl.pem: block 2 (line 4) is a private "
          "key ('EC PRIVATE KEY'): istiod publishes this file in every namespace; replace the "
          "key, taking the block out does not bring it back"}));
}

TEST(ForeignBlocks, AreToldAHandfulOfEachFile) {
  std::string chain = pem("east");
  for (int i = 0; i < 100; ++i) {
    chain += block("CERTIFICATE REQUEST");
  }
  const PublicBundle bundle{pem("east"), chain, pem("root")};
  const auto problems = problems_of_foreign_blocks({.bundle = bundle, .at = kNow});
  ASSERT_EQ(problems.size(), 8U);
  EXPECT_TRUE(problems.back().message.ends_with("; what follows in the file was not looked at"));
}

TEST(ForeignBlocks, MakeWorkloadsUnreadableForZtunnelEverywhere) {
  const PublicBundle bundle{pem("east"), pem("east") + block("CERTIFICATE REQUEST"), pem("root")};
  const auto presenting = parse_bundle(bundle).value();
  for (const pki::Verdict& said : judge_workloads(presenting, presenting.roots, kNow)) {
    EXPECT_EQ(said.accepted, said.judge != "webpki") << said.judge << said.reason;
  }
}

TEST(ForeignBlocks, AreFoundInASingleFile) {
  EXPECT_EQ(problems_of_foreign_blocks("root-cert.pem", pem("root") + block("PRIVATE KEY")).size(),
            1U);
  EXPECT_TRUE(problems_of_foreign_blocks("ca-cert.pem", pem("east")).empty());
}

}  // namespace
}  // namespace meshtrust::istio
