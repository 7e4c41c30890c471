#include "mesh/webhooks.h"

#include "mesh/check/installation.h"
#include "mesh/installed.h"
#include "tests/mesh/mesh_builder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <functional>
#include <string>
#include <vector>

namespace meshtrust::mesh {
namespace {

using namespace testing;
using base::Json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

Json service(const std::string& in, const std::string& name) {
  return {{"metadata", {{"namespace", in}, {"name", name}}}};
}

const WebhookTarget kOldIstiod{.namespace_name = "old-mesh", .service = "istiod"};

/// What was seen of a Service elsewhere that webhooks call.
void call(ClusterObservation& seen, const WebhookTarget& target, Observed<Objects::List> service) {
  seen.live.objects.add(key_of_called(target), std::move(service));
}

Observed<Objects::List> forbidden() {
  return Observed<Objects::List>::unknown(
      {.code = base::Code::kPermission, .message = "forbidden"});
}

/// A webhook that calls a Service, and refuses what it cannot ask about.
Json webhook(const std::string& in,
             const std::string& called,
             const std::string& name = "namespace.sidecar-injector.istio.io") {
  return {{"name", name},
          {"failurePolicy", "Fail"},
          {"clientConfig", {{"service", {{"namespace", in}, {"name", called}}}}}};
}

/// The same of one that is called at a server.
Json webhook_by_url(const std::string& url) {
  return {{"name", "namespace.sidecar-injector.istio.io"},
          {"failurePolicy", "Fail"},
          {"clientConfig", {{"url", url}}}};
}

Json configuration(const std::string& name, Json webhook, Json labels = Json::object()) {
  return {{"metadata", {{"name", name}, {"labels", std::move(labels)}}},
          {"webhooks", Json::array({std::move(webhook)})}};
}

std::string orphans_in(const Scene& scene) {
  Answer answer;
  check_orphaned_webhooks({.mesh = scene.mesh,
                           .observation = scene.observation,
                           .at = scene.at,
                           .purpose = scene.purpose},
                          answer);
  return describe(answer);
}

Scene scene_for(Purpose purpose) {
  Scene scene = fresh_example("two-networks");
  scene.purpose = purpose;
  return scene;
}

const std::string kOldInjector =
    "critical east [orphaned-webhook]: the webhook 'injector' calls service 'old-mesh/istiod', "
    "which does not exist: no pod that is to be injected can be created\n"
    "  hint: take it away with 'kubectl --context kind-east delete mutatingwebhookconfiguration "
    "injector'\n";

struct Case {
  std::string name;
  std::function<void(ClusterObservation& east)> given;
  std::string said;
};

class WhileChanging : public ::testing::TestWithParam<Case> {};

TEST_P(WhileChanging, AFailingClosedWebhookOfIstiosNeedsItsService) {
  Scene scene = scene_for(Purpose::kChange);
  GetParam().given(scene.cluster("east"));
  EXPECT_EQ(orphans_in(scene), GetParam().said);
}

const Case kCases[] = {
    {"OfAnotherNamespace",
     [](ClusterObservation& east) {
       put(east, kMutatingWebhooks, configuration("injector", webhook("old-mesh", "istiod")));
       call(east, kOldIstiod, Absent{});
     },
     kOldInjector},
    {"OfAnotherNamespaceWhateverElseItCalls",
     [](ClusterObservation& east) {
       Json both = configuration("injector", webhook("secret-mesh", "istiod"));
       both["webhooks"].push_back(webhook("old-mesh", "istiod"));
       put(east, kMutatingWebhooks, both);
       call(east, {.namespace_name = "secret-mesh", .service = "istiod"}, forbidden());
       call(east, kOldIstiod, Absent{});
     },
     kOldInjector},
    {"OfGalley",
     [](ClusterObservation& east) {
       put(east, kValidatingWebhooks,
           configuration("istio-galley",
                         webhook("istio-system", "istio-galley", "pilot.validation.istio.io")));
     },
     "critical east [orphaned-webhook]: the webhook 'istio-galley' calls service "
     "'istio-system/istio-galley', which does not exist: no configuration of Istio can be changed\n"
     "  hint: take it away with 'kubectl --context kind-east delete "
     "validatingwebhookconfiguration istio-galley'\n"},
    {"OfAnotherRevision",
     [](ClusterObservation& east) {
       put(east, kMutatingWebhooks,
           configuration("injector", webhook("istio-system", "istiod-1-20")));
     },
     "critical east [orphaned-webhook]: the webhook 'injector' calls service "
     "'istio-system/istiod-1-20', which does not exist: no pod that is to be injected can be "
     "created\n"
     "  hint: take it away with 'kubectl --context kind-east delete mutatingwebhookconfiguration "
     "injector'\n"},
    {"ByItsServiceAlone",
     [](ClusterObservation& east) {
       put(east, kMutatingWebhooks,
           configuration("injector", webhook("old-mesh", "istiod", "injector.example.com")));
       call(east, kOldIstiod, Absent{});
     },
     kOldInjector},
    {"WithoutAPolicyOfItsOwn",
     [](ClusterObservation& east) {
       Json one = webhook("old-mesh", "istiod");
       one.erase("failurePolicy");
       put(east, kMutatingWebhooks, configuration("injector", one));
       call(east, kOldIstiod, Absent{});
     },
     kOldInjector},
    {"OfThisMeshIsMendedByTheChange",
     [](ClusterObservation& east) {
       put(east, kMutatingWebhooks,
           configuration("istio-sidecar-injector", webhook("istio-system", "istiod")));
     },
     "warning east [orphaned-webhook]: the webhook 'istio-sidecar-injector' calls service "
     "'istio-system/istiod', which does not exist: no pod that is to be injected can be created\n"
     "  hint: run 'meshtrust apply', or 'kubectl --context kind-east delete "
     "mutatingwebhookconfiguration istio-sidecar-injector'\n"},
    {"ThatIsThereElsewhere",
     [](ClusterObservation& east) {
       put(east, kMutatingWebhooks, configuration("injector", webhook("old-mesh", "istiod")));
       call(east, kOldIstiod, Objects::List{service("old-mesh", "istiod")});
     },
     ""},
    {"ThatIsThereInTheMesh",
     [](ClusterObservation& east) {
       put(east, kMutatingWebhooks, configuration("injector", webhook("istio-system", "istiod")));
       put(east, kServices, service("istio-system", "istiod"));
     },
     ""},
    {"UnlessItLetsPass",
     [](ClusterObservation& east) {
       Json one = webhook("old-mesh", "istiod");
       one["failurePolicy"] = "Ignore";
       put(east, kMutatingWebhooks, configuration("injector", one));
       call(east, kOldIstiod, Absent{});
     },
     ""},
    {"UnlessItGoesByUrl",
     [](ClusterObservation& east) {
       put(east, kMutatingWebhooks,
           configuration("injector", webhook_by_url("https://istiod.example.com:15017/inject")));
     },
     ""},
    {"AndOfOtherProductsNothingIsSaid",
     [](ClusterObservation& east) {
       put(east, kValidatingWebhooks,
           configuration("config.webhook.istio.networking.internal.knative.dev",
                         webhook("knative-serving", "istio-webhook",
                                 "config.webhook.istio.networking.internal.knative.dev")));
       put(east, kMutatingWebhooks,
           configuration("istio-lookalike",
                         webhook("istio-system", "gatekeeper", "a.example.com")));
     },
     ""},
    {"AndIsUnknownWhereNobodyMayLook",
     [](ClusterObservation& east) {
       put(east, kMutatingWebhooks, configuration("injector", webhook("old-mesh", "istiod")));
       call(east, kOldIstiod, forbidden());
     },
     "unknown (permission): east: whether service 'old-mesh/istiod' exists, which the webhook "
     "'injector' calls, is not known: forbidden\n"},
};

INSTANTIATE_TEST_SUITE_P(Webhooks, WhileChanging, ::testing::ValuesIn(kCases), [](const auto& one) {
  return one.param.name;
});

TEST(OrphanedWebhooks, AreCriticalForStatusWhoseverTheyAre) {
  Scene scene = scene_for(Purpose::kProve);
  put(scene.cluster("east"), kMutatingWebhooks,
      configuration("istio-sidecar-injector", webhook("istio-system", "istiod")));
  EXPECT_EQ(orphans_in(scene),
            "critical east [orphaned-webhook]: the webhook 'istio-sidecar-injector' calls service "
            "'istio-system/istiod', which does not exist: no pod that is to be injected can be "
            "created\n"
            "  hint: run 'meshtrust apply', or 'kubectl --context kind-east delete "
            "mutatingwebhookconfiguration istio-sidecar-injector'\n");
}

TEST(OrphanedWebhooks, AreNotedAsNotJudgedWhereNobodyMayLookAndNothingIsChanged) {
  for (const Purpose purpose : {Purpose::kProve, Purpose::kLeave}) {
    Scene scene = scene_for(purpose);
    put(scene.cluster("east"), kMutatingWebhooks,
        configuration("injector", webhook("old-mesh", "istiod")));
    call(scene.cluster("east"), kOldIstiod, forbidden());
    EXPECT_EQ(orphans_in(scene),
              "note east [webhook-not-judged]: whether service 'old-mesh/istiod' exists, which the "
              "webhook 'injector' calls, is not known: forbidden\n");
  }
}

/// An external control plane that is called by a name, and the tag of the remote that it serves.
Scene called_by_url(Purpose purpose) {
  Scene scene = fresh_example("external-control-plane");
  scene.purpose = purpose;
  put(scene.cluster("north"), kMutatingWebhooks,
      configuration("istio-revision-tag-default-external-istiod",
                    webhook_by_url("https://istiod.shop.example:15017/inject/cluster/north")));
  return scene;
}

TEST(OrphanedWebhooks, AreThoseThatCallTheServerOfAMeshThatWasLeft) {
  EXPECT_EQ(orphans_in(called_by_url(Purpose::kLeave)),
            "critical north [orphaned-webhook]: the webhook "
            "'istio-revision-tag-default-external-istiod' calls 'https://istiod.shop.example:15017'"
            ", which this cluster has left\n"
            "  hint: take it away with 'kubectl --context kind-north delete "
            "mutatingwebhookconfiguration istio-revision-tag-default-external-istiod'\n");
  EXPECT_EQ(orphans_in(called_by_url(Purpose::kProve)), "");
}

TEST(OrphanedWebhooks, OfOtherServersAreNotedAsNotJudgedByAMeshThatLeaves) {
  Scene scene = scene_for(Purpose::kLeave);
  put(scene.cluster("east"), kMutatingWebhooks,
      configuration("injector", webhook_by_url("https://istiod.example.com:15017/inject")));
  EXPECT_EQ(orphans_in(scene),
            "note east [webhook-not-judged]: whether 'https://istiod.example.com:15017' answers, "
            "which the webhook 'injector' calls, is not known: it was not asked\n");
}

TEST(OrphanedWebhooks, AreNeverMendedByAMeshThatLeaves) {
  Scene scene = scene_for(Purpose::kLeave);
  put(scene.cluster("east"), kMutatingWebhooks,
      configuration("istio-revision-tag-default", webhook("istio-system", "istiod")));
  put(scene.cluster("east"), kMutatingWebhooks,
      configuration("injector", webhook("old-mesh", "istiod")));
  call(scene.cluster("east"), kOldIstiod, Absent{});
  EXPECT_EQ(orphans_in(scene),
            "critical east [orphaned-webhook]: the webhook 'istio-revision-tag-default' calls "
            "service 'istio-system/istiod', which does not exist: no pod that is to be injected "
            "can be created\n"
            "  hint: take it away with 'kubectl --context kind-east delete "
            "mutatingwebhookconfiguration istio-revision-tag-default'\n"
            "warning" +
                kOldInjector.substr(std::string("critical").size()));
}

profiles::Installation installation(const std::string& revision = {}) {
  return {.cluster = "east",
          .namespace_name = "mesh",
          .revision = revision,
          .version = {.major = 1, .minor = 31, .patch = 0},
          .profile = "minimal"};
}

std::vector<std::string> names_for(const profiles::Installation& installation,
                                   const ClusterObservation& seen) {
  std::vector<std::string> names;
  for (const ControlPlaneWebhooks& one : webhooks_for(installation, seen.live.objects)) {
    names.push_back(one.name);
  }
  return names;
}

const Json kByIstioctl = {{"operator.istio.io/component", "Pilot"}};

TEST(WebhooksForAControlPlane, AreThoseThatCallItAndNobodyElse) {
  ClusterObservation seen = bare("east");
  Json both = configuration("both", webhook("mesh", "istiod"), kByIstioctl);
  both["webhooks"].push_back(webhook("mesh", "istiod-two"));
  for (const Json& one :
       {configuration("istio-revision-tag-default-mesh", webhook("mesh", "istiod"), kByIstioctl),
        configuration("of-the-other-revision", webhook("mesh", "istiod-two"), kByIstioctl),
        configuration("of-another-mesh", webhook("istio-system", "istiod"), kByIstioctl),
        configuration("by-hand", webhook("mesh", "istiod")), both,
        configuration("that-says-nothing", Json(), kByIstioctl)}) {
    put(seen, kMutatingWebhooks, one);
  }
  put(seen, kValidatingWebhooks,
      configuration("istiod-default-validator", webhook("mesh", "istiod"), kByIstioctl));
  EXPECT_THAT(names_for(installation(), seen),
              ElementsAre("istio-revision-tag-default-mesh", "istiod-default-validator"));
  EXPECT_THAT(names_for(installation("two"), seen), ElementsAre("of-the-other-revision"));
}

TEST(WebhooksForAControlPlane, GoToItsServerWhereItIsCalledByUrl) {
  const auto by_url = [](const std::string& url) {
    return Json{{"name", "x.istio.io"}, {"clientConfig", {{"url", url}}}};
  };
  ClusterObservation seen = bare("east");
  put(seen, kMutatingWebhooks,
      configuration("tag", by_url("https://istiod.example:15017/inject/cluster/east"),
                    kByIstioctl));
  EXPECT_THAT(names_for(installation(), seen), IsEmpty());
  put(seen, kMutatingWebhooks,
      configuration("istio-sidecar-injector-mesh", by_url("https://istiod.example:15017/inject"),
                    kByIstioctl));
  put(seen, kValidatingWebhooks,
      configuration("elsewhere", by_url("https://istiod.example:15018/validate"), kByIstioctl));
  EXPECT_THAT(names_for(installation(), seen), ElementsAre("tag", "istio-sidecar-injector-mesh"));
}

TEST(WebhooksForAControlPlane, AreFoundByTheServerThatItWasInstalledWith) {
  ClusterObservation seen = bare("north");
  put(seen, kMutatingWebhooks,
      configuration("tag", webhook_by_url("https://istiod.example:15017/inject/cluster/north"),
                    kByIstioctl));
  profiles::Installation remote = installation();
  remote.values["istiodRemote"]["injectionURL"] = "https://istiod.example:15017/inject";
  EXPECT_THAT(names_for(remote, seen), ElementsAre("tag"));
}

struct PartsCase {
  std::string name;
  std::string revision;
  int minor;
  std::string parts;  ///< that are missed when they are gone
};

class PartsOfAnInstallation : public ::testing::TestWithParam<PartsCase> {};

TEST_P(PartsOfAnInstallation, AreThoseThatTheInstallerMakesAgain) {
  profiles::Installation primary = installation(GetParam().revision);
  primary.version.minor = GetParam().minor;
  const std::string istiod = GetParam().revision.empty() ? "istiod" : "istiod-two";
  Json tag_labels = kByIstioctl;
  tag_labels["istio.io/tag"] = "default";
  ClusterObservation seen = bare("east");
  put(seen, kMutatingWebhooks, configuration("injector", webhook("mesh", istiod), kByIstioctl));
  put(seen, kMutatingWebhooks, configuration("tag", webhook("mesh", istiod), tag_labels));
  put(seen, kValidatingWebhooks,
      configuration("istiod-default-validator", webhook("mesh", istiod), kByIstioctl));
  const Json marked = mark(fresh_example("two-networks").mesh, {}, primary, seen.live.objects);
  EXPECT_EQ(base::string_at(base::at_path(marked, {"metadata", "annotations"}),
                            kInstalledPartsAnnotation),
            GetParam().parts);
}

const PartsCase kParts[] = {
    {"OfTheDefaultRevision", "", 24,
     "mutatingwebhookconfiguration/injector,mutatingwebhookconfiguration/tag,"
     "validatingwebhookconfiguration/istiod-default-validator"},
    {"OfARevisionThatItGivesNoTag", "two", 26, "mutatingwebhookconfiguration/injector"},
    {"OfARevisionThatItGivesATag", "two", 27,
     "mutatingwebhookconfiguration/injector,mutatingwebhookconfiguration/tag"},
};

INSTANTIATE_TEST_SUITE_P(Webhooks,
                         PartsOfAnInstallation,
                         ::testing::ValuesIn(kParts),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace meshtrust::mesh
