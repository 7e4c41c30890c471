// What `verify --chain` decides, and what it tells beside it.

#include "base/json.h"
#include "tests/cli/program_fixture.h"
#include "tests/pki/forge.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using pki::testing::forge;
using pki::testing::forge_root;
using pki::testing::Forgery;
using pki::testing::Identity;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::ProgramTest;

Forgery server_forgery() {
  Forgery wanted = pki::testing::leaf_forgery();
  wanted.subject = "O=Forge,CN=web";
  wanted.with("extendedKeyUsage", "serverAuth");
  wanted.with("subjectAltName", "DNS:web.example.com");
  return wanted;
}

class VerifyChainTest : public ProgramTest {
 protected:
  void put(const std::string& name, const std::vector<Identity>& all) {
    std::vector<pki::Certificate> certificates;
    for (const Identity& one : all) {
      certificates.push_back(one.certificate);
    }
    test::put_file(folder / name, pki::to_pem(certificates));
  }

  /// root -> east -> leaf, in web.pem and roots.pem.
  void put_chain(const Forgery& leaf, const Forgery& east = pki::testing::intermediate_forgery()) {
    const Identity root = forge_root();
    const Identity middle = forge(east, root);
    put("web.pem", {forge(leaf, middle), middle});
    put("roots.pem", {root});
  }

  int verify(const std::vector<std::string>& more = {}) {
    std::vector<std::string> arguments = {
        "verify",          "--chain", path("web.pem"),       "--root",
        path("roots.pem"), "--at",    "2030-01-01T00:00:00Z"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run(arguments);
  }

  base::Json answer() { return base::parse_json(out.str(), "answer").value(); }
};

TEST_F(VerifyChainTest, AGoodChainIsAcceptedAndThatIsAll) {
  put_chain(server_forgery());
  EXPECT_EQ(verify({"--purpose", "server", "--dns", "web.example.com"}), kDone) << said();
  EXPECT_EQ(out.str(),
            "accepted: O=Forge,CN=web\n"
            "  O=Forge,CN=web  2030-01-02 (in 1 day)\n"
            "    O=Forge,CN=east  2032-01-01 (in 730 days)\n"
            "      O=Forge,CN=Root  2039-12-30 (in 3650 days)\n"
            "\n"
            "meshtrust  accepts\n"
            "openssl    accepts\n"
            "botan      accepts\n"
            "go         accepts\n"
            "boringssl  accepts\n"
            "webpki     accepts\n");
}

TEST_F(VerifyChainTest, AFaultOfProfileIsAWarningByItsRuleOfLint) {
  Forgery leaf = server_forgery();
  leaf.serial = "-05";
  Forgery east = pki::testing::intermediate_forgery();
  east.with("nameConstraints", "critical,permitted;DNS:.example.com");
  put_chain(leaf, east);
  EXPECT_EQ(verify(), kWarnings) << said();
  EXPECT_THAT(out.str(),
              HasSubstr("webpki     accepts\n"
                        "\n"
                        "warning: leaf 'O=Forge,CN=web': serial_negative, found -05 (RFC 5280 "
                        "4.1.2.2) [serial-positive]\n"
                        "warning: intermediate 'O=Forge,CN=east': dns_constraint_dotted, found "
                        ".example.com, wanted example.com (RFC 5280 4.2.1.10) "
                        "[dns-constraint-dotted]\n"));
  EXPECT_EQ(said(), "");
  for (const char* rule : {"serial-positive", "dns-constraint-dotted"}) {
    EXPECT_EQ(run({"lint", "--explain", rule}), kDone);
  }
}

TEST_F(VerifyChainTest, FindingsAreFieldsBesideTheVerdicts) {
  Forgery leaf = server_forgery();
  leaf.serial = "00";
  put_chain(leaf);
  EXPECT_EQ(verify({"-o", "json"}), kWarnings);
  const base::Json json = answer();
  EXPECT_TRUE(json["accepted"].get<bool>());
  EXPECT_FALSE(json["strict"].get<bool>());
  ASSERT_EQ(json["findings"].size(), 1U);
  base::Json finding = json["findings"][0];
  EXPECT_EQ(finding["fingerprint"], json["path"][0]["fingerprint"]);
  finding.erase("fingerprint");
  EXPECT_EQ(
      finding,
      (base::Json{{"id", "serial-positive"},
                  {"severity", "warning"},
                  {"check", "serial_zero"},
                  {"role", "leaf"},
                  {"depth", 0},
                  {"subject", "O=Forge,CN=web"},
                  {"message", "leaf 'O=Forge,CN=web': serial_zero, found 0 (RFC 5280 4.1.2.2)"},
                  {"found", "0"},
                  {"wanted", ""},
                  {"source", "RFC 5280 4.1.2.2"}}));
}

TEST_F(VerifyChainTest, StrictRefusesWhatIsNotWellMade) {
  Forgery leaf = server_forgery();
  leaf.serial = "00";
  put_chain(leaf);
  EXPECT_EQ(verify({"--strict"}), kRefused);
  EXPECT_THAT(out.str(), HasSubstr("refused: O=Forge,CN=web\n"));
  EXPECT_THAT(out.str(), Not(HasSubstr("warning")));
  EXPECT_EQ(said(),
            "meshtrust: error: 'O=Forge,CN=web' is refused by meshtrust: leaf 'O=Forge,CN=web': "
            "serial_zero, found 0 (RFC 5280 4.1.2.2)\n");
}

TEST_F(VerifyChainTest, WhereOthersDecideFindingsAreToldAndDoNotCount) {
  Forgery leaf = server_forgery();
  leaf.serial = "00";
  put_chain(leaf);
  EXPECT_EQ(verify({"--as", "go,webpki"}), kDone);
  EXPECT_THAT(out.str(), HasSubstr("[serial-positive]\n"));
  EXPECT_EQ(verify({"--as", "go,meshtrust"}), kWarnings);
  EXPECT_EQ(verify({"--as", "go", "--strict"}), kDone);
}

TEST_F(VerifyChainTest, StrictMeansNothingWithoutAChain) {
  EXPECT_EQ(run({"verify", "--strict"}), kUsage);
  EXPECT_THAT(said(), HasSubstr("judging a chain takes both --chain and --root"));
}

TEST_F(VerifyChainTest, AnIntermediateInThePlaceOfTheRootAnchorsWhatIsBelowIt) {
  const Identity root = forge_root();
  const Identity east = forge(pki::testing::intermediate_forgery(), root);
  const Identity west = forge(pki::testing::intermediate_forgery("O=Forge,CN=west"), root);
  put("roots.pem", {east});
  put("web.pem", {forge(server_forgery(), east), east, east});
  EXPECT_EQ(verify(), kDone) << said();
  put("web.pem", {forge(server_forgery(), west), west});
  EXPECT_EQ(verify(), kRefused);
  EXPECT_THAT(said(), HasSubstr("no_path"));
}

/// An intermediate that bears the name of the root which signed it, with `authority_key`.
Forgery namesake(const std::string& authority_key) {
  Forgery wanted = pki::testing::intermediate_forgery("O=Forge,CN=Root");
  wanted.with("authorityKeyIdentifier", authority_key);
  return wanted;
}

TEST_F(VerifyChainTest, ACaOfItsIssuersNameIsNoRoot) {
  put_chain(server_forgery(), namesake("keyid:always"));
  EXPECT_EQ(verify(), kDone) << said();
  EXPECT_THAT(out.str(), Not(HasSubstr("refuses")));
  // Without the identifier OpenSSL and BoringSSL take it for self-signed.
  put_chain(server_forgery(), namesake(""));
  EXPECT_EQ(verify(), kDone) << said();
  EXPECT_THAT(out.str(), HasSubstr("openssl    refuses: self-signed certificate in certificate "
                                   "chain\n"));
  EXPECT_THAT(out.str(), HasSubstr("boringssl  refuses: intermediate 'O=Forge,CN=Root': "
                                   "self_signed_not_trusted"));
}

TEST_F(VerifyChainTest, ARenewedRootIsNotTheOneThatIssuerAndSerialName) {
  Forgery root;
  root.key = pki::testing::ec_key();
  const Identity old = forge_root(root);
  root.serial = "0fedcba9876543210fedcba987654321";
  const Identity renewed = forge_root(root);
  Forgery east = pki::testing::intermediate_forgery();
  east.with("authorityKeyIdentifier", "keyid:always,issuer:always");
  const Identity middle = forge(east, old);
  put("web.pem", {forge(server_forgery(), middle), middle});
  put("roots.pem", {renewed});
  EXPECT_EQ(verify(), kDone) << said();
  EXPECT_THAT(out.str(), HasSubstr("openssl    refuses: unable to get local issuer certificate\n"));
  EXPECT_THAT(out.str(),
              HasSubstr("boringssl  refuses: intermediate 'O=Forge,CN=east': no_path, found issuer "
                        "'O=Forge,CN=Root' with serial 0fedcba9876543210fedcba987654321, wanted "
                        "serial 0123456789abcdef0123456789abcdef, which the authority key "
                        "identifier names (RFC 5280 6.1)\n"));
  put("roots.pem", {renewed, old});
  EXPECT_EQ(verify(), kDone) << said();
  EXPECT_THAT(out.str(), Not(HasSubstr("refuses")));
}

}  // namespace
}  // namespace meshtrust::cli
