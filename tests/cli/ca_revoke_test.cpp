#include "base/json.h"
#include "tests/cli/program_fixture.h"

#include <nlohmann/json.hpp>

namespace meshtrust::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::MatchesRegex;
using ::testing::Not;
using testing::ProgramTest;

/// A store with a root in clear text and one intermediate, of "east".
class CaRevokeTest : public ProgramTest {
 protected:
  CaRevokeTest() {
    EXPECT_EQ(run({"ca", "create", "--store", path("t"), "--no-password", "--insecure"}), kDone)
        << err.str();
    EXPECT_EQ(run({"ca", "issue", "east", "--store", path("t"), "--out", path("east")}), kDone)
        << err.str();
  }
  base::Json answer(std::vector<std::string> words) {
    words.insert(words.end(), {"--store", path("t"), "-o", "json"});
    EXPECT_EQ(run(words), kDone) << err.str();
    return base::parse_json(out.str(), "answer").value();
  }
};

TEST_F(CaRevokeTest, WithForceRevokesWhatAClusterLivesOnAndTakesItBack) {
  EXPECT_EQ(run({"ca", "revoke", "east", "--store", path("t")}), kRefused);
  EXPECT_THAT(said(), HasSubstr("is what cluster 'east' lives on"));
  EXPECT_EQ(
      run({"ca", "revoke", "east", "--store", path("t"), "--force", "--reason", "keyCompromise"}),
      kDone)
      << err.str();
  const std::vector<std::string> crl{"ca", "crl", "--store", path("t"), "-o", "json"};
  EXPECT_EQ(run(crl), kDone) << err.str();
  EXPECT_EQ(base::parse_json(out.str(), "set").value()["revoked"], 1);
  EXPECT_EQ(run({"ca", "revoke", "east", "--store", path("t"), "--undo"}), kDone) << err.str();
  EXPECT_EQ(run(crl), kDone);
  EXPECT_EQ(base::parse_json(out.str(), "set").value()["revoked"], 0);
  EXPECT_EQ(run({"ca", "revoke", "north", "--store", path("t")}), kBadInput);
}

TEST_F(CaRevokeTest, TheListOfWhatWasIssuedTellsWhatIsRevokedAndWhatWaits) {
  ASSERT_EQ(
      run({"ca", "revoke", "east", "--store", path("t"), "--force", "--reason", "keyCompromise"}),
      kDone);
  password = "correct horse";
  ASSERT_EQ(run({"ca", "request", "west", "--store", path("t"), "--out", path("west.csr")}), kDone);
  const auto list = answer({"ca", "list"});
  EXPECT_EQ(list["items"][1]["state"], "revoked");
  EXPECT_EQ(list["items"][1]["delivery"], "pushed");
  EXPECT_EQ(list["items"][1]["revokedAt"], "2026-11-21T10:00:00Z");
  EXPECT_EQ(list["items"][1]["reason"], "keyCompromise");
  ASSERT_EQ(list["requests"].size(), 1U);
  EXPECT_EQ(list["requests"][0]["cluster"], "west");
  EXPECT_EQ(list["requests"][0]["since"], "2026-11-21T10:00:00Z");
  EXPECT_EQ(run({"ca", "list", "--store", path("t")}), kDone);
  EXPECT_THAT(out.str(), HasSubstr("  revoked 2026-11-21, keyCompromise\n"));
  EXPECT_THAT(out.str(), MatchesRegex("(.|\n)*\nrequest +west +- +- +- +waits since 2026-11-21\n"));
  ASSERT_EQ(run({"ca", "revoke", "east", "--store", path("t"), "--undo"}), kDone);
  EXPECT_EQ(answer({"ca", "list"})["items"][1]["state"], "pushed");
}

TEST_F(CaRevokeTest, WhatStandsBehindTheSignatureOfTheLedgerIsTold) {
  ASSERT_EQ(run({"ca", "show", "--store", path("t")}), kDone);
  EXPECT_THAT(out.str(), HasSubstr("\nledger:   5 lines, all signed by the root's key\n"));
  ASSERT_EQ(run({"ca", "revoke", "east", "--store", path("t"), "--force"}), kDone);
  const std::string told =
      "6 lines, signed by the root's key up to line 5; since then without it: revoked\n";
  ASSERT_EQ(run({"ca", "show", "--store", path("t")}), kDone);
  EXPECT_THAT(out.str(), HasSubstr("\nledger:   " + told));
  ASSERT_EQ(run({"ca", "list", "--store", path("t")}), kDone);
  EXPECT_EQ(err.str(), "meshtrust: the ledger: " + told);
  const base::Json wanted = {{"lines", 6}, {"signedLines", 5}, {"since", {"revoked"}}};
  EXPECT_EQ(answer({"ca", "show"})["ledger"], wanted);
  EXPECT_EQ(answer({"ca", "list"})["ledger"], wanted);
  ASSERT_EQ(run({"ca", "crl", "--store", path("t")}), kDone);
  EXPECT_THAT(err.str(), HasSubstr("the root's key now also signs what was recorded without it "
                                   "since line 5: revoked\n"));
  EXPECT_EQ(answer({"ca", "show"})["ledger"]["signedLines"], 7);
}

TEST_F(CaRevokeTest, AListIsAboveTheNumberThatIsInUse) {
  EXPECT_EQ(answer({"ca", "crl", "--above", "1f"})["number"], "20");
  EXPECT_EQ(answer({"ca", "crl"})["number"], "21");
  EXPECT_EQ(run({"ca", "crl", "--store", path("t"), "--above", "many"}), kBadInput);
  EXPECT_THAT(said(), HasSubstr("'many' is no number of a list, wanted hexadecimal digits"));
}

TEST_F(CaRevokeTest, TheRootTellsOfItsNewestList) {
  EXPECT_FALSE(answer({"ca", "show"}).contains("list"));
  EXPECT_EQ(run({"ca", "show", "--store", path("t")}), kDone);
  EXPECT_THAT(out.str(), Not(HasSubstr("list:")));
  for (int i = 0; i < 2; ++i) {
    answer({"ca", "crl"});
  }
  const auto list = answer({"ca", "show"})["list"];
  EXPECT_EQ(list["number"], "02");
  EXPECT_EQ(list["nextUpdate"], "2027-02-19T10:00:00Z");
  EXPECT_EQ(run({"ca", "show", "--store", path("t")}), kDone);
  EXPECT_THAT(out.str(), HasSubstr("\nlist:     number 02, 0 revoked, until 2027-02-19"));
}

}  // namespace
}  // namespace meshtrust::cli
