#include "pki/path/imagined_workload.h"
#include "tests/support/golden.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace meshtrust::pki {
namespace {

std::vector<Certificate> certificates(const std::vector<std::string>& names) {
  std::vector<Certificate> all;
  for (const std::string& name : names) {
    all.push_back(
        certificates_from_pem(test::content_of(test::test_file("data/workloads/" + name + ".pem")))
            .value()
            .front());
  }
  return all;
}

/// "openssl go boringssl webpki", as many of them as accept it.
std::string takers_of(const std::vector<std::string>& chain,
                      const std::vector<std::string>& roots,
                      const std::string& at = "2026-11-21T10:00:00Z") {
  std::string takers;
  for (const Verdict& verdict : judge_presented_workload({.chain = certificates(chain),
                                .roots = certificates(roots),
                                .at = base::parse_rfc3339(at).value()})) {
    EXPECT_EQ(verdict.accepted, verdict.reason.empty()) << verdict.judge;
    if (verdict.accepted) takers += (takers.empty() ? "" : " ") + verdict.judge;
  }
  return takers;
}

const std::string kAll = "openssl go boringssl webpki";

TEST(PresentedWorkload, IsAcceptedByAllUnderItsRoot) {
  EXPECT_EQ(takers_of({"web", "east", "root"}, {"root"}), kAll);
  EXPECT_EQ(takers_of({"web", "east"}, {"next-root", "root"}), kAll);
}

TEST(PresentedWorkload, IsRefusedUnderAnotherRootUnlessThatIsBridged) {
  EXPECT_EQ(takers_of({"api-next", "next-west", "next-root"}, {"root"}), "");
  EXPECT_EQ(takers_of({"api-next", "next-west", "bridge"}, {"root"}), kAll);
  EXPECT_EQ(takers_of({"api-next", "next-west", "bridge"}, {"next-root"}), kAll);
}

TEST(PresentedWorkload, IsJudgedWithItsOwnTimeAndSignature) {
  EXPECT_EQ(takers_of({"web-over", "east"}, {"root"}), "");
  EXPECT_EQ(takers_of({"web-over", "east"}, {"root"}, "2026-11-21T08:00:00Z"), kAll);
  EXPECT_EQ(takers_of({"web", "east-before"}, {"root"}), "");
}

TEST(PresentedWorkload, IsJudgedAsServerAndAsClient) {
  // An intermediate is no workload in either role, by those who ask for the purpose.
  EXPECT_EQ(takers_of({"east"}, {"root"}).find("webpki"), std::string::npos);
}

}  // namespace
}  // namespace meshtrust::pki
