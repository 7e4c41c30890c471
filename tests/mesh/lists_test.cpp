// What is planned, and what is said, about revocation lists in the live `cacerts` of a mesh.
#include "mesh/lists.h"

#include "base/encoding.h"
#include "istio/names.h"
#include "mesh/check/material.h"
#include "mesh/plan.h"
#include "mesh/trust.h"
#include "profiles/trust_objects.h"
#include "tests/mesh/trust_builder.h"
#include "tests/pki/list_authority.h"
#include "tests/support/found.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kAsked = "crl: {lifetime: 60d, refresh: nightly job}";

/// At the time of the scene.
struct Authority : pki::testing::ListAuthority {
  Authority(const std::string& name, const Authority* issuer) : ListAuthority(name, issuer, kNow) {}
};

class ListsTest : public ::testing::Test {
 protected:
  ListsTest() : scene_(fresh_scene({"east", "west"})) {
    scene_.mesh = shop({"east", "west"}, kAsked);
    scene_.mesh.trust.root.subject = {.attributes = {{"O", "Shop"}, {"CN", "Root"}}};
    know(root_.list(base::days(50)) + lists_of_intermediates());
    push("east", east_, facts().lists);
    push("west", west_, facts().lists);
  }

  std::string lists_of_intermediates() const {
    return east_.list(base::days(600)) + west_.list(base::days(600));
  }

  StoreFacts facts() const { return test::found_in(scene_.observation.store); }

  /// The store knows these lists.
  void know(const std::string& lists, const std::vector<std::string>& revoked = {}) {
    StoreFacts facts{.root = root_.certificate.pem(),
                     .declared_subject = "O=Shop,CN=Root",
                     .key_is_encrypted = true,
                     .issued = {},
                     .roots = {root_.certificate.pem()},
                     .lists = lists,
                     .without_list = {}};
    const auto read = pki::revocation_lists_from_pem(lists).value();
    made_.push_back(read.front().facts().fingerprint);
    facts.lists_made = made_;
    for (const auto& [cluster, authority] :
         {std::pair{"east", &east_}, std::pair{"west", &west_}}) {
      const bool is_revoked =
          std::find(revoked.begin(), revoked.end(), authority->serial()) != revoked.end();
      facts.issued.push_back({.fingerprint = authority->certificate.fingerprint(),
                              .is_root = false,
                              .cluster = cluster,
                              .issuer = root_.certificate.fingerprint(),
                              .serial = authority->serial(),
                              .state = "pushed",
                              .revoked = is_revoked,
                              .not_after = authority->certificate.facts().not_after});
    }
    scene_.observation.store = facts;
  }

  void push(const std::string& cluster, const Authority& authority, const std::string& lists) {
    const std::string pem = authority.certificate.pem();
    const istio::PublicBundle bundle{
        .ca_cert = pem, .cert_chain = pem, .root_cert = root_.certificate.pem(), .ca_crl = lists};
    const std::string root_mark = istio::root_label_value(root_.certificate.fingerprint());
    ClusterObservation& seen = scene_.cluster(cluster);
    seen.system_namespace = NamespaceFacts{.network = cluster,
                                           .created_by_meshtrust = true,
                                           .mesh = scene_.mesh.name,
                                           .root = root_mark};
    seen.cacerts = CacertsFacts{.resource_version = "7",
                                .files = {},
                                .certificates = bundle,
                                .key = istio::KeyMatch::kMatches,
                                .managers = {"meshtrust"}};
    seen.twin =
        TwinFacts{.data = profiles::twin_data(scene_.mesh, *scene_.mesh.find(cluster), bundle),
                  .mesh = scene_.mesh.name,
                  .root = root_mark};
  }

  /// "STEP because REASON" of every step.
  std::vector<std::string> steps() const {
    const Planned planned = plan(scene_);
    EXPECT_FALSE(planned.is_refused()) << describe(planned.answer);
    std::vector<std::string> lines;
    for (const Step& step : planned.plan.steps) {
      lines.push_back(step.id + " because " + step.reason);
    }
    return lines;
  }

  std::vector<std::string> made_;  ///< what the store knew at some time
  static std::string replacing_west() {
    return "  hint: 'kubectl --context west -n istio-system delete secret cacerts', then "
           "'meshtrust "
           "apply --only trust', gives it a new CA\n"
           "  hint: meanwhile its istiod goes on with the CA that it has in memory; one that "
           "starts "
           "before the new one is there makes a CA of its own, which no other cluster trusts\n";
  }

  Authority root_{"Root", nullptr};
  Authority east_{"east", &root_};
  Authority west_{"west", &root_};
  Scene scene_;
};

constexpr const char* kEastDiffers =
    "east/lists because the lists in it are no longer those of the mesh";
constexpr const char* kWestDiffers =
    "west/lists because the lists in it are no longer those of the mesh";
constexpr const char* kEastTwin = "east/meshtrust-trust because it does not say what cacerts holds";
constexpr const char* kWestTwin = "west/meshtrust-trust because it does not say what cacerts holds";

TEST_F(ListsTest, AreLeftAloneInTheFirstHalfOfTheirTime) {
  EXPECT_THAT(steps(), IsEmpty());
  scene_.at = kNow + base::days(20) - base::Seconds{1};
  EXPECT_THAT(steps(), IsEmpty());
}

TEST_F(ListsTest, AreMadeAnewForAllInTheSecondHalf) {
  scene_.at = kNow + base::days(20) + base::Seconds{1};
  EXPECT_THAT(steps(), ElementsAre("store/lists because the last one ends in 29 days (2027-01-10)",
                                   kEastDiffers, kEastTwin, kWestDiffers, kWestTwin));
  const Plan made = plan(scene_).plan;
  EXPECT_TRUE(made.requires_root_key());
  EXPECT_TRUE(made.sends_keys_to("east"));
}

TEST_F(ListsTest, AreMadeAnewWhenOneHasEnded) {
  scene_.at = kNow + base::days(51);
  EXPECT_EQ(steps().front(), "store/lists because the last one ended 1 day ago (2027-01-10)");
}

TEST_F(ListsTest, OfARootNearItsEndAreNotMadeAnewForEver) {
  const base::Instant end = root_.certificate.facts().not_after;
  know(root_.list(end - kNow) + lists_of_intermediates());
  const StoreFacts store = facts();
  EXPECT_FALSE(next_list(&store, *scene_.mesh.trust.crl, end - base::days(10)));
}

TEST_F(ListsTest, AreMadeAnewWhenSomethingWasRevokedOrReinstated) {
  know(facts().lists, {west_.serial()});
  EXPECT_EQ(steps().front(),
            "store/lists because since the last one something was revoked or reinstated");
  const std::string with_west =
      root_.list(base::days(50), {west_.serial()}) + lists_of_intermediates();
  know(with_west, {west_.serial()});
  push("east", east_, with_west);
  push("west", west_, with_west);
  EXPECT_THAT(steps(), IsEmpty());
  know(with_west);
  EXPECT_EQ(steps().front(),
            "store/lists because since the last one something was revoked or reinstated");
}

TEST_F(ListsTest, ThatAKilledRunMadeAreTakenUpWithoutTheRootsKey) {
  know(root_.list(base::days(58)) + lists_of_intermediates());
  EXPECT_THAT(steps(), ElementsAre(kEastDiffers, kEastTwin, kWestDiffers, kWestTwin));
  EXPECT_FALSE(plan(scene_).plan.requires_root_key());
}

TEST_F(ListsTest, GoToEveryClusterWhenOneJoins) {
  scene_.cluster("west") = bare("west");
  EXPECT_THAT(
      steps(),
      ElementsAre("west/namespace because it does not exist",
                  "west/cacerts because a primary signs its workloads, and this one has no CA yet",
                  kEastDiffers, kEastTwin,
                  "west/lists because the mesh file asks for revocation lists",
                  "west/meshtrust-trust because viewers read the public half of cacerts here"));
}

TEST_F(ListsTest, AreNotTouchedWithoutTheWordOfTheMeshFile) {
  scene_.mesh.trust.crl.reset();
  scene_.at = kNow + base::days(45);
  EXPECT_THAT(steps(), IsEmpty());
}

TEST_F(ListsTest, ThatCutAClusterOffAreToldAndDoNotStandInTheWayOfTheirSuccessors) {
  const std::string own = pki::revocation_lists_from_pem(facts().lists).value().front().pem();
  push("east", east_, own + east_.list(base::days(600)));
  EXPECT_EQ(ask("mutual-trust", scene_), "") << "apply puts it right";
  EXPECT_THAT(steps(), ElementsAre(kEastDiffers, kEastTwin));
  scene_.purpose = Purpose::kProve;
  EXPECT_EQ(ask("mutual-trust", scene_),
            "critical east [no-mutual-trust]: 'east' does not accept the workloads of 'west'\n"
            "  seen: lists: no list in force of 'O=Shop,CN=west'\n");
}

TEST_F(ListsTest, OfWhatIsRevokedMakeItsPeersRefuseIt) {
  const std::string with_west =
      root_.list(base::days(50), {west_.serial()}) + lists_of_intermediates();
  const std::string before = facts().lists;
  know(with_west, {west_.serial()});
  push("east", east_, with_west);
  know(before, {west_.serial()});
  scene_.purpose = Purpose::kProve;
  EXPECT_EQ(ask("mutual-trust", scene_),
            "critical east [no-mutual-trust]: 'east' does not accept the workloads of 'west'\n"
            "  seen: lists: 'O=Shop,CN=west' is revoked\n");
  EXPECT_EQ(ask("lists-refreshed", scene_),
            "warning east [crl-differs]: its ca-crl.pem is not what the store would give it\n"
            "  hint: run 'meshtrust apply'\n"
            "critical west [live-ca-revoked]: its intermediate " +
                describe(west_.certificate) +
                " is revoked and goes on signing its workloads\n"
                "  seen: the ledger says that it is revoked\n"
                "  seen: with the lists in place every peer refuses every workload of it\n" +
                replacing_west() + "  hint: if it was revoked by mistake: 'meshtrust ca revoke " +
                west_.certificate.fingerprint().substr(0, 16) + " --undo --store shop.trust'\n");
}

TEST_F(ListsTest, ThatNobodyRefreshesAreWarnedAboutWithTheNameOfWhoShould) {
  scene_.purpose = Purpose::kProve;
  scene_.at = kNow + base::days(36);
  const std::string late =
      "[crl-refresh-late]: the list of 'O=Shop,CN=Root' ends in 14 days (2027-01-10), and then "
      "every connection fails\n"
      "  seen: the mesh file says that it is refreshed by: nightly job\n"
      "  hint: run 'meshtrust apply', and see why nobody did\n";
  EXPECT_EQ(ask("lists-refreshed", scene_), "warning east " + late + "warning west " + late);
  scene_.at = kNow + base::days(34);
  EXPECT_EQ(ask("lists-refreshed", scene_), "");
}

/// What every finding about a list of another copy of the store begins and ends with.
constexpr const char* kNotMadeHere =
    "critical mesh [unknown-list-of-our-root]: a revocation list of 'O=Shop,CN=Root' is signed by "
    "this store's root, and this store did not make it: this is an older copy of the store, or "
    "somebody else has the root's key\n";
constexpr const char* kPutBack =
    "  hint: put the newest copy of the store back: this one may undo what was revoked since, and "
    "nothing is changed with it\n";
constexpr const char* kBringUp =
    "  hint: where there is no newer copy, this one can be brought up to what the list says:\n";
constexpr const char* kGive =
    "  hint: 'kubectl --context east -n istio-system get secret cacerts -o "
    "jsonpath=\"{.data.ca-crl\\.pem}\" | base64 -d > live-crl.pem'\n"
    "  hint: 'meshtrust ca crl --with live-crl.pem --store shop.trust' makes the next one, with a "
    "number above it\n";

TEST_F(ListsTest, ThatAnotherCopyOfTheStoreMadeForbidEveryChange) {
  push("east", east_, root_.list(base::days(50), {west_.serial()}, 2) + lists_of_intermediates());
  const std::string told =
      std::string(kNotMadeHere) +
      "  seen: number 02, of 2026-11-20T11:00:01Z, in ca-crl.pem of secret 'istio-system/cacerts' "
      "of east, configmap 'istio-system/meshtrust-trust' of east\n"
      "  seen: the newest that this store made: number 01, of 2026-11-20T10:00:01Z\n"
      "  seen: it revokes " +
      base::group_hex(west_.certificate.fingerprint().substr(0, 16)) +
      " of west, which this store does not know\n" + kPutBack + kBringUp +
      "  hint: 'meshtrust ca revoke " + west_.certificate.fingerprint().substr(0, 16) +
      " --store shop.trust', with --force where a cluster lives on it\n" + kGive;
  for (const Purpose purpose : {Purpose::kChange, Purpose::kProve}) {
    scene_.purpose = purpose;
    EXPECT_EQ(ask("store-newest", scene_), told);
  }
  for (const bool is_asked : {true, false}) {
    if (!is_asked) scene_.mesh.trust.crl.reset();
    const Planned planned = plan(scene_);
    EXPECT_TRUE(planned.is_refused());
    EXPECT_TRUE(planned.plan.is_empty());
    EXPECT_THAT(ask("lists-refreshed", scene_),
                ::testing::HasSubstr("  seen: the root's list (number 02, of 2026-11-20T11:00:01Z) "
                                     "in secret 'istio-system/cacerts' of east names it\n"));
  }
}

TEST_F(ListsTest, ThatRevokeNothingNewerAreToldByTheirNumber) {
  push("east", east_, root_.list(base::days(50), {}, 2) + lists_of_intermediates());
  EXPECT_EQ(ask("store-newest", scene_),
            std::string(kNotMadeHere) +
                "  seen: number 02, of 2026-11-20T11:00:01Z, in ca-crl.pem of secret "
                "'istio-system/cacerts' of east, configmap 'istio-system/meshtrust-trust' of east\n"
                "  seen: the newest that this store made: number 01, of 2026-11-20T10:00:01Z\n" +
                kPutBack + kBringUp + kGive);
}

TEST_F(ListsTest, ThatNameWhatTheLedgerNeverIssuedNeedTheNewestCopy) {
  const Authority north("north", &root_);
  push("east", east_, root_.list(base::days(50), {north.serial()}, 2) + lists_of_intermediates());
  EXPECT_EQ(ask("store-newest", scene_),
            std::string(kNotMadeHere) +
                "  seen: number 02, of 2026-11-20T11:00:01Z, in ca-crl.pem of secret "
                "'istio-system/cacerts' of east, configmap 'istio-system/meshtrust-trust' of east\n"
                "  seen: the newest that this store made: number 01, of 2026-11-20T10:00:01Z\n"
                "  seen: it revokes serial " +
                north.serial() + ", which this store did not issue\n" + kPutBack);
}

TEST_F(ListsTest, OfBranchesOfTheStoreWithTheSameNumberAreToldApart) {
  push("east", east_, root_.list(base::days(51)) + lists_of_intermediates());
  EXPECT_THAT(ask("store-newest", scene_), ::testing::StartsWith(kNotMadeHere));
}

TEST_F(ListsTest, ThatAnotherCopyMadeAreReplacedOnceTheLedgerSaysAsMuchAndMore) {
  const std::string live =
      root_.list(base::days(50), {west_.serial()}, 2) + lists_of_intermediates();
  push("east", east_, live);
  push("west", west_, live);
  know(root_.list(base::days(50), {}, 3) + lists_of_intermediates());
  EXPECT_THAT(ask("store-newest", scene_), ::testing::StartsWith(kNotMadeHere))
      << "it would undo a revocation";
  know(root_.list(base::days(50), {west_.serial()}, 3) + lists_of_intermediates(),
       {west_.serial()});
  EXPECT_EQ(ask("store-newest", scene_), "");
  EXPECT_THAT(steps(), ElementsAre(kEastDiffers, kEastTwin, kWestDiffers, kWestTwin));
}

TEST_F(ListsTest, ThatOnlyBearTheNameOfTheRootAreNotBelieved) {
  const Authority impostor("Root", nullptr);
  push("east", east_, impostor.list(base::days(50), {}, 9) + lists_of_intermediates());
  const std::string told =
      " mesh [forged-list]: a revocation list bears the name of 'O=Shop,CN=Root', and its key did "
      "not sign it\n"
      "  seen: number 09, of 2026-11-20T18:00:01Z, in ca-crl.pem of secret 'istio-system/cacerts' "
      "of east, configmap 'istio-system/meshtrust-trust' of east\n"
      "  hint: find out who put it there\n"
      "  hint: 'meshtrust apply --only trust' puts the right lists in its place\n";
  EXPECT_EQ(ask("store-newest", scene_), "warning" + told);
  EXPECT_THAT(steps(), ElementsAre(kEastDiffers, kEastTwin));
  scene_.purpose = Purpose::kProve;
  EXPECT_EQ(ask("store-newest", scene_), "critical" + told);
}

TEST_F(ListsTest, OfAnotherCaThatAreNewerThanTheOnesKeptAreNotWrittenOver) {
  const std::string own = pki::revocation_lists_from_pem(facts().lists).value().front().pem();
  push("east", east_, own + east_.list(base::days(600), {}, 2) + west_.list(base::days(600)));
  EXPECT_EQ(
      ask("store-newest", scene_),
      "critical mesh [newer-list-live]: a revocation list of 'O=Shop,CN=east' is newer in a "
      "cluster than in this store; it is never overwritten by an older one\n"
      "  seen: number 02, of 2026-11-20T11:00:01Z, in ca-crl.pem of secret 'istio-system/cacerts' "
      "of east, configmap 'istio-system/meshtrust-trust' of east\n"
      "  seen: the newest that this store has: number 01, of 2026-11-20T10:00:01Z\n"
      "  hint: 'kubectl --context east -n istio-system get secret cacerts -o "
      "jsonpath=\"{.data.ca-crl\\.pem}\" | base64 -d > live-crl.pem'\n"
      "  hint: 'meshtrust ca crl --with live-crl.pem --store shop.trust' takes it over\n");
  EXPECT_TRUE(plan(scene_).is_refused());
}

TEST_F(ListsTest, GoOutWhileACaThatTheyNameStillSigns) {
  know(facts().lists, {west_.serial()});
  EXPECT_THAT(ask("lists-refreshed", scene_),
              ::testing::StartsWith("critical west [live-ca-revoked]"));
  EXPECT_THAT(steps(), ElementsAre("store/lists because since the last one something was revoked "
                                   "or reinstated",
                                   kEastDiffers, kEastTwin, kWestDiffers, kWestTwin));
}

}  // namespace
}  // namespace meshtrust::mesh
