#include "mesh/contents.h"

#include "istio/names.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

ContentFacts object(const std::string& kind, const std::string& name) {
  return {.api_version = "v1",
          .kind = kind,
          .resource = "things",
          .namespace_name = "istio-system",
          .name = name,
          .uid = "uid-of-" + name,
          .managers = {"kubectl-create"}};
}

const Leaving kLeaving{.mesh = "shop",
                       .revision = "default",
                       .doomed = {"uid-of-doomed"},
                       .installer_goes = true,
                       .had_own_ca = true};

struct Case {
  const char* name;
  bool is_kept;
  ContentFacts object;
};

std::ostream& operator<<(std::ostream& out, const Case& one) {
  return out << one.name;
}

Case kept(const char* name, ContentFacts object) {
  return {name, true, std::move(object)};
}
Case goes(const char* name, ContentFacts object) {
  return {name, false, std::move(object)};
}

ContentFacts with_labels(ContentFacts object, std::map<std::string, std::string> labels) {
  object.labels = std::move(labels);
  return object;
}
ContentFacts by(ContentFacts object, std::vector<std::string> managers) {
  object.managers = std::move(managers);
  return object;
}
ContentFacts owned(ContentFacts object, const std::string& kind, const std::string& uid) {
  object.owners = {{.kind = kind, .uid = uid}};
  return object;
}
ContentFacts terminating(ContentFacts object) {
  object.terminating = true;
  return object;
}
ContentFacts elsewhere(ContentFacts object) {
  object.namespace_name = "shop";
  return object;
}

const std::vector<Case> kCases{
    kept("AConfigMap", object("ConfigMap", "shop")),
    kept("ASecret", object("Secret", "tls")),
    kept("APeerAuthentication", object("PeerAuthentication", "default")),
    goes("WhatThePlanDeletes", object("Secret", "doomed")),
    goes("TheRootsOfKubernetes", object("ConfigMap", "kube-root-ca.crt")),
    goes("TheDefaultAccount", object("ServiceAccount", "default")),
    kept("AnotherAccount", object("ServiceAccount", "shop")),
    goes("WhatBearsOurMesh",
         with_labels(object("Role", "reader"), {{"meshtrust.io/mesh", "shop"}})),
    kept("WhatBearsAnotherMesh",
         with_labels(object("Role", "reader"), {{"meshtrust.io/mesh", "other"}})),
    goes("ALockOfIstiod", by(object("ConfigMap", "istio-leader"), {"pilot-discovery"})),
    kept("AConfigMapThatSomebodyWroteIntoToo",
         by(object("ConfigMap", "istio-leader"), {"pilot-discovery", "kubectl-edit"})),
    kept("AGatewayOfWhichIstiodWritesTheStatus",
         by(object("Gateway", "shop"), {"pilot-discovery"})),
    goes("TheCaOfAnIstiodThatSignedForItself",
         by(object("Secret", "istio-ca-secret"), {"pilot-discovery"})),
    kept("ACacertsWhateverItsLabels",
         with_labels(object("Secret", "cacerts"), {{"meshtrust.io/mesh", "shop"}})),
    goes("WhatOurInstallerMade",
         with_labels(object("Service", "istiod"),
                     {{"operator.istio.io/component", "Pilot"}, {"istio.io/rev", "default"}})),
    kept("WhatAnInstallerMadeOfAnotherRevision",
         with_labels(object("Service", "istiod-canary"),
                     {{"operator.istio.io/component", "Pilot"}, {"istio.io/rev", "canary"}})),
    goes("APodWhoseSetIsGone", owned(object("Pod", "istiod-1"), "ReplicaSet", "uid-of-nobody")),
    kept("WhatAClusterWideObjectOwns", owned(object("Secret", "shop"), "Node", "uid-of-node")),
    goes("WhatIsGoingAnyhow", terminating(object("ConfigMap", "shop"))),
    goes("WhatIsInAnotherNamespace", elsewhere(object("ConfigMap", "shop"))),
};

class Contents : public ::testing::TestWithParam<Case> {};

TEST_P(Contents, AreOfOthersOrGo) {
  const auto others = kept_by_others({GetParam().object}, "istio-system", kLeaving);
  EXPECT_EQ(others.size(), GetParam().is_kept ? 1U : 0U);
}

INSTANTIATE_TEST_SUITE_P(Cases, Contents, ::testing::ValuesIn(kCases), [](const auto& one) {
  return std::string(one.param.name);
});

TEST(KeptByOthers, TellsAnOwnerAndNotWhatItOwns) {
  const auto others =
      kept_by_others({object("Certificate", "shop"),
                      owned(object("Secret", "shop-tls"), "Certificate", "uid-of-shop")},
                     "istio-system", kLeaving);
  EXPECT_THAT(described(others), ElementsAre("Certificate shop"));
}

TEST(KeptByOthers, ExcusesWhatAnInstallerMadeOnlyUntilItWent) {
  const auto gateway = with_labels(object("Deployment", "gateway"),
                                   {{"operator.istio.io/component", "IngressGateways"}});
  EXPECT_THAT(kept_by_others({gateway}, "istio-system", kLeaving), IsEmpty());
  Leaving later = kLeaving;
  later.installer_goes = false;
  EXPECT_THAT(described(kept_by_others({gateway}, "istio-system", later)),
              ElementsAre("Deployment gateway"));
}

TEST(KeptByOthers, IsToldInTwentyLinesAtMost) {
  const std::vector<ContentFacts> many(34, object("ConfigMap", "shop"));
  const auto lines = described(many);
  EXPECT_EQ(lines.size(), 21U);
  EXPECT_EQ(lines.back(), "and 14 more");
}

}  // namespace
}  // namespace meshtrust::mesh
