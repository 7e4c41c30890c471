#include "base/json.h"
#include "tests/cli/program_fixture.h"

#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using ::testing::HasSubstr;
using testing::ProgramTest;

class VerifyBundles : public ProgramTest {
 protected:
  void issue(const std::string& cluster, const std::string& store = "t") {
    if (!std::filesystem::exists(folder / store)) {
      ASSERT_EQ(run({"ca", "create", "--store", path(store), "--no-password", "--insecure"}), kDone)
          << err.str();
    }
    ASSERT_EQ(run({"ca", "issue", cluster, "--store", path(store), "--out", path(cluster)}), kDone)
        << err.str();
  }
  std::string content(const std::string& name) { return test::content_of(folder / name); }
  void put(const std::string& name, const std::string& text) {
    test::put_file(folder / name, text);
  }
  base::Json answer() { return base::parse_json(out.str(), "answer").value(); }
};

TEST_F(VerifyBundles, AnswersThreeQuestionsInALineAndAFieldEach) {
  issue("east");
  ASSERT_EQ(run({"verify", "--bundle", path("east")}), kDone) << err.str();
  EXPECT_THAT(without_folder(out.str()),
              HasSubstr("DIR/east\n"
                        "istiod 1.31.0 loads it\n"
                        "workloads: accepted by openssl, go, boringssl, webpki, as server and as "
                        "client\n"
                        "safe: yes\n"));
  ASSERT_EQ(run({"verify", "--bundle", path("east"), "-o", "json"}), kDone);
  EXPECT_EQ(answer()["istiod"], "loads");
  EXPECT_EQ(answer()["workloads"], "accepted");
  EXPECT_EQ(answer()["safe"], true);
  EXPECT_FALSE(answer().contains("pairs"));
}

TEST_F(VerifyBundles, CallTheOrderOfAChainAdvice) {
  issue("east");
  put("east/cert-chain.pem", content("east/root-cert.pem") + content("east/ca-cert.pem"));
  EXPECT_EQ(run({"verify", "--bundle", path("east"), "-o", "json"}), kWarnings) << err.str();
  EXPECT_EQ(answer()["good"], true);
  EXPECT_EQ(answer()["problems"][0]["code"], "chain-order");
  EXPECT_TRUE(answer()["problems"][0]["concerns"].empty());
}

TEST_F(VerifyBundles, SayWhatEachProblemMakesANo) {
  issue("east");
  issue("west");
  put("east/cert-chain.pem", content("west/cert-chain.pem"));
  put("east/ca-key.pem", "-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----\n" +
                             content("east/ca-key.pem"));
  EXPECT_EQ(run({"verify", "--bundle", path("east"), "-o", "json"}), kRefused);
  EXPECT_EQ(answer()["istiod"], "refuses to start");
  EXPECT_EQ(answer()["workloads"], "refused");
  EXPECT_EQ(answer()["safe"], true);
  EXPECT_EQ(base::compact(answer()["problems"][0]["concerns"]), R"(["istiod"])");
  EXPECT_EQ(base::compact(answer()["problems"][1]["concerns"]), R"(["workloads"])");
  EXPECT_THAT(said(),
              HasSubstr("meshtrust: error: ca-key.pem begins with a block 'EC PARAMETERS', and "
                        "istiod reads the first block alone [unreadable-key]\n"
                        "meshtrust: hint: openssl pkcs8 -topk8 -nocrypt -in ca-key.pem -out NEW "
                        "makes one that istiod reads\n"));
}

TEST_F(VerifyBundles, OfOneRootMakeOneMesh) {
  issue("east");
  issue("west");
  EXPECT_EQ(run({"verify", "--bundle", path("east"), path("west")}), kDone) << err.str();
  EXPECT_THAT(
      out.str(),
      HasSubstr("\n2 of 2 ordered pairs accepted: every workload will trust every other\n"));
  EXPECT_EQ(run({"verify", "--bundle", path("east"), path("west"), "-o", "json"}), kDone);
  ASSERT_EQ(answer()["pairs"].size(), 2U);
  EXPECT_EQ(answer()["pairs"][0]["from"], path("east"));
  EXPECT_EQ(answer()["pairs"][0]["accepted"], true);
}

TEST_F(VerifyBundles, OfTwoRootsAreRefusedPairByPair) {
  issue("east");
  issue("west");
  issue("far", "u");
  EXPECT_EQ(run({"verify", "--bundle", path("east"), path("west"), path("far")}), kRefused);
  EXPECT_THAT(out.str(),
              HasSubstr("\n2 of 6 ordered pairs accepted: these bundles do not make one mesh\n"));
  for (const auto& [from, to] : {std::pair("east", "far"), std::pair("far", "west")}) {
    const std::string line = std::string("error: DIR/") + to + ": 'DIR/" + to +
                             "' does not accept the workloads of 'DIR/" + from +
                             "' [no-mutual-trust]\n";
    EXPECT_THAT(said(), HasSubstr(line));
  }
}

TEST_F(VerifyBundles, CanBeOneWayOnly) {
  issue("east");
  issue("far", "u");
  put("far/root-cert.pem", content("far/root-cert.pem") + content("east/root-cert.pem"));
  EXPECT_EQ(run({"verify", "--bundle", path("east"), path("far"), "-o", "json"}), kRefused);
  EXPECT_EQ(answer()["pairs"][0]["accepted"], true) << "far trusts the root of east";
  EXPECT_EQ(answer()["pairs"][1]["accepted"], false);
}

TEST_F(VerifyBundles, WarnOfARootThatIsOverBesideTheOneThatCountsAndSoDoesLint) {
  issue("east");
  ASSERT_EQ(run({"ca", "create", "--store", path("old"), "--no-password", "--insecure",
                 "--lifetime", "60d", "--subject", "O=Shop,CN=Old Root"}),
            kDone)
      << err.str();
  ASSERT_EQ(
      run({"ca", "issue", "x", "--store", path("old"), "--lifetime", "30d", "--out", path("x")}),
      kDone)
      << err.str();
  put("east/root-cert.pem", content("east/root-cert.pem") + content("x/root-cert.pem"));
  for (const auto& [at, code] : {std::pair("2026-12-25T00:00:00Z", "expires-soon"),
                                 std::pair("2027-03-01T00:00:00Z", "root-holds-expired")}) {
    EXPECT_EQ(run({"verify", "--bundle", path("east"), "--at", at}), kWarnings) << err.str();
    EXPECT_THAT(said(), HasSubstr(code)) << at;
    EXPECT_EQ(run({"lint", path("east"), "--at", at}), kWarnings) << out.str();
    EXPECT_THAT(out.str(), HasSubstr(code)) << at;
  }
}

}  // namespace
}  // namespace meshtrust::cli
