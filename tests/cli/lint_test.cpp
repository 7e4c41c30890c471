#include "base/json.h"
#include "pki/certificate.h"
#include "tests/cli/program_fixture.h"
#include "tests/pki/forge.h"

#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using testing::ProgramTest;

class LintTest : public ProgramTest {
 protected:
  void make_bundle() {
    ASSERT_EQ(run({"ca", "create", "--store", path("t"), "--no-password", "--insecure"}), kDone)
        << err.str();
    ASSERT_EQ(run({"ca", "issue", "east", "--store", path("t"), "--out", path("east")}), kDone)
        << err.str();
  }
  void copy(const std::string& file, const std::string& name) {
    std::filesystem::copy(test::test_file("data/trust/" + file + ".pem"), folder / name);
  }
  std::vector<std::string> rules() {
    std::vector<std::string> found;
    const auto report = base::parse_json(out.str(), "report").value();
    for (const auto& item : report["items"]) {
      found.push_back(item["rule"].get<std::string>() + (item["waived"] ? " waived" : ""));
    }
    return found;
  }
};

TEST_F(LintTest, FindsNothingInWhatWeIssue) {
  make_bundle();
  EXPECT_EQ(run({"lint", path("east"), "-o", "json"}), kDone) << out.str();
  EXPECT_THAT(rules(), IsEmpty());
  EXPECT_EQ(run({"lint", path("east")}), kDone);
  EXPECT_EQ(out.str(), "2 certificates and 1 bundle looked at: 0 critical, 0 warnings, 0 notes\n");
}

TEST_F(LintTest, TheExitSaysHowBadItIsAndFailOnMovesTheBar) {
  copy("eku", "eku.pem");
  EXPECT_EQ(run({"lint", path("eku.pem")}), kRefused);
  copy("outlives-root", "long.pem");
  copy("root", "root.pem");
  EXPECT_EQ(run({"lint", path("long.pem"), path("root.pem")}), kWarnings) << out.str();
  EXPECT_EQ(run({"lint", path("long.pem"), path("root.pem"), "--fail-on", "critical"}), kDone);
  EXPECT_EQ(run({"lint", path("long.pem"), "--fail-on", "never"}), kUsage);
}

TEST_F(LintTest, AWaiverNeedsAReasonAndEndsOnItsDay) {
  copy("eku", "eku.pem");
  const auto with = [this](const std::string& text) {
    test::put_file(folder / "waivers.yaml", text);
    return run({"lint", path("eku.pem"), "--waivers", path("waivers.yaml"), "-o", "json"});
  };
  const std::string one =
      "waivers:\n- rule: no-extended-key-usage\n  fingerprint: \"*\"\n  reason: known\n  expires: ";
  EXPECT_EQ(with(one + "2026-11-21\n"), kDone) << out.str();
  EXPECT_THAT(rules(), ElementsAre("no-extended-key-usage waived"));
  EXPECT_EQ(with(one + "2026-11-20\n"), kRefused);
  EXPECT_THAT(rules(), ElementsAre("no-extended-key-usage", "waiver-expired"));
  EXPECT_EQ(with(one + "2027-01-01\n- {rule: expired, fingerprint: \"*\", reason: r, expires: "
                       "2027-01-01}\n"),
            kDone);
  EXPECT_THAT(rules(), ElementsAre("no-extended-key-usage waived", "waiver-unused"));
}

TEST_F(LintTest, AWaiverFileIsReadStrictly) {
  copy("eku", "eku.pem");
  test::put_file(folder / "w.yaml",
                 "waivers:\n"
                 "- {rule: no-such, fingerprint: \"*\", reason: r, expires: 2027-01-01}\n"
                 "- {rule: expired, fingerprint: abc, reason: r, expires: soon}\n"
                 "- {rule: expired, fingerprint: \"*\", expires: 2027-01-01, resaon: x}\n");
  EXPECT_EQ(run({"lint", path("eku.pem"), "--waivers", path("w.yaml")}), kBadInput);
  EXPECT_THAT(said(), HasSubstr("DIR/w.yaml:2:10: error: there is no rule 'no-such'\n"));
  EXPECT_THAT(said(), HasSubstr("error: not the SHA-256 of a certificate, nor '*'\n"));
  EXPECT_THAT(said(), HasSubstr("error: not a date, expected one like 2027-06-30\n"));
  EXPECT_THAT(said(), HasSubstr("error: unknown key 'resaon'\n"));
  EXPECT_THAT(said(), HasSubstr("hint: did you mean 'reason'?\n"));
  EXPECT_THAT(said(), HasSubstr("error: a waiver needs 'reason'\n"));
}

TEST_F(LintTest, ARoleSaysWhatACertificateIsFor) {
  copy("east", "east.pem");
  EXPECT_EQ(run({"lint", path("east.pem"), "--role", "workload", "-o", "json"}), kRefused);
  EXPECT_THAT(rules(), ::testing::Contains("svid-no-ca"));
  EXPECT_EQ(run({"lint", path("east.pem"), "--role", "crl"}), kBadInput);
  EXPECT_EQ(run({"lint", path("east.pem"), "--role", "king"}), kUsage);
}

TEST_F(LintTest, ACaOfItsIssuersNameIsHeldAgainstTheRulesOfIntermediates) {
  const auto root = pki::testing::forge_root();
  const auto namesake =
      pki::testing::forge(pki::testing::intermediate_forgery("O=Forge,CN=Root"), root);
  test::put_file(folder / "ca.pem", namesake.certificate.pem());
  test::put_file(folder / "root.pem", root.certificate.pem());
  EXPECT_EQ(
      run({"lint", path("ca.pem"), path("root.pem"), "--at", "2030-01-01T00:00:00Z", "-o", "json"}),
      kWarnings)
      << out.str();
  EXPECT_THAT(rules(), ElementsAre("subject-distinct"));
}

TEST_F(LintTest, ListsAndExplainsItsRules) {
  EXPECT_EQ(run({"lint", "--list"}), kDone);
  test::expect_golden("golden/cli/lint-rules.txt", out.str());
  EXPECT_EQ(run({"lint", "--explain", "key-usage-crl-sign"}), kDone);
  test::expect_golden("golden/cli/lint-explain.txt", out.str());
  EXPECT_EQ(run({"lint", "--explain", "key-usage-crl-sing"}), kUsage);
  EXPECT_THAT(said(), HasSubstr("hint: did you mean 'key-usage-crl-sign'?\n"));
  EXPECT_EQ(run({"lint"}), kUsage);
}

TEST_F(LintTest, ListsTheRulesOfOneRoleAlone) {
  EXPECT_EQ(run({"lint", "--list", "--role", "crl", "-o", "json"}), kDone);
  const auto list = base::parse_json(out.str(), "rules").value()["items"];
  EXPECT_FALSE(list.empty());
  for (const auto& rule : list) {
    EXPECT_THAT(rule["appliesTo"].get<std::vector<std::string>>(), ::testing::Contains("crl"));
  }
  EXPECT_EQ(run({"lint", "--list", "--role", "king"}), kUsage);
}

TEST_F(LintTest, WhatIsAboutRulesGoesWithNoFiles) {
  EXPECT_EQ(run({"lint", "--explain", "expired", path("east")}), kUsage);
  EXPECT_EQ(said(),
            "meshtrust: error: --explain is about rules: it goes with no files\n"
            "meshtrust: hint: leave 'DIR/east' out\n");
  EXPECT_EQ(run({"lint", "--list", path("east")}), kUsage);
}

TEST_F(LintTest, JudgesTheFilesOfABundleTogether) {
  make_bundle();
  copy("west", "east/other.pem");
  std::filesystem::copy(folder / "east/other.pem", folder / "east/cert-chain.pem",
                        std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(folder / "east/other.pem");
  EXPECT_EQ(run({"lint", path("east"), "--role", "bundle", "-o", "json"}), kRefused);
  EXPECT_THAT(rules(), ::testing::Contains("chain-does-not-begin-with-ca-cert"));
}

TEST_F(LintTest, WaivesAFindingAboutABundleByTheFingerprintOfItsCa) {
  make_bundle();
  std::filesystem::remove(folder / "east/cert-chain.pem");
  copy("west", "east/cert-chain.pem");
  run({"lint", path("east"), "--role", "bundle", "-o", "json"});
  const auto found = base::parse_json(out.str(), "report").value()["items"];
  std::string waivers = "waivers:\n";
  for (const auto& item : found) {
    EXPECT_EQ(item["fingerprint"],
              pki::certificates_from_pem(test::content_of(folder / "east/ca-cert.pem"))
                  .value()
                  .front()
                  .fingerprint());
    waivers += "- {rule: " + item["rule"].get<std::string>() +
               ", fingerprint: " + item["fingerprint"].get<std::string>() +
               ", reason: known, expires: 2027-01-01}\n";
  }
  test::put_file(folder / "waivers.yaml", waivers);
  EXPECT_EQ(run({"lint", path("east"), "--role", "bundle", "--waivers", path("waivers.yaml")}),
            kDone)
      << out.str();
}

class VerifyBundleTest : public LintTest {};

TEST_F(VerifyBundleTest, SaysWhatEachVersionDoesWithoutAKey) {
  make_bundle();
  std::filesystem::remove(folder / "east/ca-key.pem");
  const auto outcome = [this](const std::string& version) {
    run({"verify", "--bundle", path("east"), "--istio-version", version, "-o", "json"});
    return base::parse_json(out.str(), "verdict").value()["istiod"].get<std::string>();
  };
  EXPECT_EQ(outcome("1.26.0"), "silently falls back to self-signed");
  EXPECT_EQ(outcome("1.30.3"), "refuses to start");
  EXPECT_EQ(run({"verify", "--bundle", path("east"), "--istio-version", "1.10.0"}), kUsage);
}

TEST_F(VerifyBundleTest, TakesFilesOneByOne) {
  make_bundle();
  const std::vector<std::string> words{"verify",
                                       "--ca-cert",
                                       path("east/ca-cert.pem"),
                                       "--ca-key",
                                       path("east/ca-key.pem"),
                                       "--cert-chain",
                                       path("east/cert-chain.pem"),
                                       "--root-cert",
                                       path("east/root-cert.pem")};
  EXPECT_EQ(run(words), kDone) << err.str();
  EXPECT_EQ(run({words.begin(), words.end() - 2}), kUsage);
}

TEST_F(VerifyBundleTest, JudgesManyAtOnce) {
  make_bundle();
  ASSERT_EQ(run({"ca", "issue", "west", "--store", path("t"), "--out", path("west")}), kDone);
  EXPECT_EQ(run({"verify", "--bundle", path("east"), path("west"), "-o", "json"}), kDone);
  EXPECT_EQ(base::parse_json(out.str(), "list").value()["items"].size(), 2U);
}

TEST_F(VerifyBundleTest, TellsWhetherARunningIstiodTakesIt) {
  make_bundle();
  const auto reload = [this](const std::string& running) {
    run({"verify", "--bundle", path("east"), "--running", running, "-o", "json"});
    return base::parse_json(out.str(), "verdict").value()["reload"].get<std::string>();
  };
  EXPECT_EQ(reload(path("east")), "loads");
  ASSERT_EQ(run({"ca", "create", "--store", path("u"), "--no-password", "--insecure"}), kDone);
  ASSERT_EQ(run({"ca", "issue", "east", "--store", path("u"), "--out", path("new")}), kDone);
  EXPECT_EQ(reload(path("new")), "ignores until restart");
  run({"verify", "--bundle", path("east"), "--running", path("new")});
  EXPECT_THAT(out.str(), HasSubstr("\na running one ignores it until a restart\n"));
  std::filesystem::remove(folder / "new/ca-key.pem");
  EXPECT_EQ(reload(path("new")), "ignores until restart");
  std::filesystem::create_directory(folder / "empty");
  EXPECT_EQ(run({"verify", "--bundle", path("east"), "--running", path("empty")}), kBadInput);
  EXPECT_EQ(said(),
            "meshtrust: error: 'DIR/empty' is no bundle that istiod has loaded: it lacks "
            "ca-cert.pem, root-cert.pem, cert-chain.pem\n"
            "meshtrust: hint: --running takes the folder that was in place before\n");
}

TEST_F(VerifyBundleTest, AFileThatIsNamedHasToBeThere) {
  make_bundle();
  for (const char* flag : {"--ca-crl", "--root-cert"}) {
    EXPECT_EQ(run({"verify", "--bundle", path("east"), flag, path("typo.pem")}), kBadInput);
    EXPECT_EQ(said(),
              std::string("meshtrust: error: ") + flag + ": there is no file 'DIR/typo.pem'\n");
  }
  EXPECT_EQ(run({"verify", "--bundle", path("east"), "--root-cert", path("east/root-cert.pem")}),
            kUsage);
  EXPECT_THAT(said(), HasSubstr("error: --root-cert does not go with --bundle\n"));
}

TEST_F(VerifyBundleTest, FlagsAboutABundleNeverMeanTheLiveMesh) {
  const auto refused = [this](std::vector<std::string> words) {
    words.insert(words.begin(), "verify");
    EXPECT_EQ(run(words), kUsage);
    return said().substr(0, said().find('\n'));
  };
  EXPECT_EQ(refused({"--ca-crl", "x"}),
            "meshtrust: error: --ca-crl means nothing without --bundle");
  EXPECT_EQ(refused({"--istio-version", "1.27.0"}),
            "meshtrust: error: --istio-version means nothing without --bundle");
  EXPECT_EQ(refused({"--running", "east"}),
            "meshtrust: error: --running means nothing without --bundle");
  EXPECT_EQ(refused({"--bundle", "east", "--multi-root"}),
            "meshtrust: error: --multi-root means nothing without --running");
  EXPECT_EQ(refused({"--ca-cert", "x"}),
            "meshtrust: error: a bundle is four files: --ca-cert, --ca-key, --cert-chain and "
            "--root-cert");
}

TEST_F(VerifyBundleTest, WantsAListOfEveryCaWhereThereAreLists) {
  make_bundle();
  ASSERT_EQ(run({"ca", "crl", "--store", path("t"), "--out", path("east")}), kDone) << err.str();
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();
  EXPECT_EQ(run({"verify", "--bundle", path("east"), "--at", "2027-03-01T00:00:00Z"}), kRefused);
  EXPECT_THAT(said(), HasSubstr("[crl-expired]"));
  EXPECT_EQ(run({"verify", "--bundle", path("east"), "--istio-version", "1.26.1"}), kWarnings);
  EXPECT_THAT(said(), HasSubstr("[crl-not-read]"));

  // Only the root's: istiod does not start.
  const std::string all = test::content_of(folder / "east/ca-crl.pem");
  test::put_file(folder / "east/ca-crl.pem", all.substr(0, all.find("-----BEGIN", 1)));
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kRefused);
  EXPECT_THAT(out.str(), HasSubstr("refuses to start"));
  EXPECT_THAT(said(), HasSubstr("[crl-missing]"));
}

TEST_F(LintTest, FindsAKeyAmongTheCertificatesOfABundleOrOfOneOfItsFiles) {
  make_bundle();
  const std::string key = test::content_of(folder / "east/ca-key.pem");
  const std::string chain = test::content_of(folder / "east/cert-chain.pem");
  test::put_file(folder / "east/cert-chain.pem", chain + key);
  EXPECT_EQ(run({"lint", path("east"), "-o", "json"}), kRefused) << out.str();
  EXPECT_THAT(rules(), ElementsAre("private-key-among-certificates"));
  EXPECT_EQ(run({"lint", path("east/cert-chain.pem"), "-o", "json"}), kRefused) << out.str();
  EXPECT_THAT(rules(), ElementsAre("private-key-among-certificates"));
  const std::string line = key.substr(key.find('\n') + 1, 40);
  EXPECT_THAT(out.str() + err.str(), Not(HasSubstr(line)));
  EXPECT_EQ(run({"verify", "--bundle", path("east")}), kRefused);
  EXPECT_THAT(said(), HasSubstr("cert-chain.pem: block 2 (line "));
  EXPECT_THAT(said(),
              HasSubstr(") is a private key ('PRIVATE KEY'): istiod sends this file to every "
                        "workload, and ztunnel refuses it; replace the key"));
  EXPECT_THAT(out.str() + err.str(), Not(HasSubstr(line)));
}

TEST_F(LintTest, JudgesTheFormWithTlsCrtWhereItIsOfACa) {
  make_bundle();
  const std::string ca = test::content_of(folder / "east/ca-cert.pem");
  const std::string root = test::content_of(folder / "east/root-cert.pem");
  std::filesystem::create_directory(folder / "tls");
  test::put_file(folder / "tls/tls.crt", ca.substr(0, ca.size() - 1));
  test::put_file(folder / "tls/ca.crt", root);
  EXPECT_EQ(run({"lint", path("tls"), "-o", "json"}), kRefused) << out.str();
  EXPECT_THAT(rules(), ElementsAre("unreadable-file"));
  test::put_file(folder / "tls/tls.crt", ca);
  EXPECT_EQ(run({"lint", path("tls")}), kDone) << out.str();
  EXPECT_THAT(out.str(), HasSubstr("2 certificates and 1 bundle looked at"));
}

TEST_F(LintTest, SaysOfAKeyFileWhyIstiodCannotReadIt) {
  make_bundle();
  const auto told = [this](const std::string& name) {
    std::filesystem::copy_file(test::test_file("data/pki/keys/" + name + ".pem"),
                               folder / "east/ca-key.pem",
                               std::filesystem::copy_options::overwrite_existing);
    EXPECT_EQ(run({"verify", "--bundle", path("east")}), kRefused);
    return said();
  };
  EXPECT_THAT(
      told("p256-parameters-first"),
      HasSubstr("ca-key.pem begins with a block 'EC PARAMETERS', and istiod reads the first "
                "block alone [unreadable-key]\n"
                "meshtrust: hint: openssl pkcs8 -topk8 -nocrypt -in ca-key.pem -out NEW "
                "makes one that istiod reads\n"));
  EXPECT_THAT(told("p256-pbkdf2"),
              HasSubstr("ca-key.pem is encrypted, and istiod has no password for it"));
}

}  // namespace
}  // namespace meshtrust::cli
