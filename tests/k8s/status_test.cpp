// The table of refusals: what the server says, and what a person reads.

#include "k8s/status.h"

#include "base/clock.h"
#include "k8s/retry.h"
#include "tests/support/fake_api_objects.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <ostream>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Json;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Refusal {
  const char* name;
  int status;
  const char* reason;
  const char* message;
  Json details;
  Code code;
  const char* wanted;
  std::vector<std::string> hints = {};
};

std::ostream& operator<<(std::ostream& out, const Refusal& refusal) {
  return out << refusal.name;
}

Reply reply_of(const Refusal& refusal) {
  const auto fake =
      test::failure_reply(refusal.status, refusal.reason, refusal.message, refusal.details);
  return {.status = fake.status, .content_type = fake.content_type, .body = fake.body};
}

class Refusals : public ::testing::TestWithParam<Refusal> {};

TEST_P(Refusals, AreToldApart) {
  const auto error = error_from_reply(reply_of(GetParam()), "doing it");
  EXPECT_EQ(error.code, GetParam().code);
  EXPECT_EQ(error.message, std::string("doing it: ") + GetParam().wanted);
  EXPECT_EQ(error.hints, GetParam().hints);
}

Json cause(const char* reason, const char* field, const char* message) {
  return {{"reason", reason}, {"field", field}, {"message", message}};
}

INSTANTIATE_TEST_SUITE_P(
    OfAllKinds,
    Refusals,
    ::testing::Values(
        Refusal{"BadRequest",
                400,
                "BadRequest",
                "json: cannot unmarshal number",
                {},
                Code::kInternal,
                "json: cannot unmarshal number (400 BadRequest)"},
        Refusal{"Unauthorized",
                401,
                "Unauthorized",
                "Unauthorized",
                {},
                Code::kPermission,
                "the server does not accept the credentials (401 Unauthorized)"},
        Refusal{"Rbac",
                403,
                "Forbidden",
                "secrets \"cacerts\" is forbidden: User \"eve\" cannot get resource \"secrets\" in "
                "API group \"\" in the namespace \"istio-system\"",
                {},
                Code::kPermission,
                "not permitted: secrets \"cacerts\" is forbidden: User \"eve\" cannot get resource "
                "\"secrets\" in API group \"\" in the namespace \"istio-system\""},
        Refusal{"Anonymous",
                403,
                "Forbidden",
                "forbidden: User \"system:anonymous\" cannot get path \"/version\"",
                {},
                Code::kPermission,
                "not permitted: forbidden: User \"system:anonymous\" cannot get path \"/version\"",
                {"the server took us for nobody: no credentials reached it"}},
        Refusal{"Escalation",
                403,
                "Forbidden",
                "clusterroles \"x\" is forbidden: user \"eve\" is attempting to grant RBAC "
                "permissions not currently held",
                {},
                Code::kPermission,
                "not permitted: clusterroles \"x\" is forbidden: user \"eve\" is attempting to "
                "grant RBAC permissions not currently held"},
        Refusal{"Quota",
                403,
                "Forbidden",
                "configmaps \"x\" is forbidden: exceeded quota: small, requested: count=1",
                {},
                Code::kRefused,
                "an admission rule of the cluster says no: configmaps \"x\" is forbidden: exceeded "
                "quota: small, requested: count=1"},
        Refusal{
            "Webhook",
            403,
            "Forbidden",
            "admission webhook \"p.example.test\" denied the request: no ConfigMaps on Fridays",
            {},
            Code::kRefused,
            "admission webhook \"p.example.test\" denied the request: no ConfigMaps on Fridays"},
        Refusal{"Policy",
                422,
                "Invalid",
                "configmaps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' "
                "denied request: no",
                {},
                Code::kRefused,
                "configmaps \"x\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' "
                "denied request: no"},
        Refusal{"SilentWebhook",
                500,
                "InternalError",
                "Internal error occurred: failed calling webhook \"v.istio.io\": connection "
                "refused",
                {},
                Code::kUnavailable,
                "Internal error occurred: failed calling webhook \"v.istio.io\": connection "
                "refused",
                {"a webhook that the cluster has to ask does not answer: look at its service and "
                 "pods"}},
        Refusal{"Terminating",
                403,
                "Forbidden",
                "unable to create new content in namespace x",
                {{"causes", {cause("NamespaceTerminating", "metadata.namespace", "is going")}}},
                Code::kConflict,
                "unable to create new content in namespace x",
                {"the namespace is being deleted: try again when it is gone"}},
        Refusal{"NoObject",
                404,
                "NotFound",
                "secrets \"x\" not found",
                {{"kind", "secrets"}, {"name", "x"}},
                Code::kNotFound,
                "secrets \"x\" not found"},
        Refusal{"NoNamespace",
                404,
                "NotFound",
                "namespaces \"x\" not found",
                {{"kind", "namespaces"}, {"name", "x"}},
                Code::kNotFound,
                "namespaces \"x\" not found",
                {"the namespace does not exist in this cluster"}},
        Refusal{"NoResource",
                404,
                "NotFound",
                "the server could not find the requested resource",
                Json::object(),
                Code::kUnavailable,
                "the server does not serve this kind of object, it answered 404 'the server could "
                "not find the requested resource'",
                {"is the CRD installed, and is this the address of a Kubernetes API server?"}},
        Refusal{"NoMethod",
                405,
                "MethodNotAllowed",
                "not supported",
                {},
                Code::kInternal,
                "not supported (405 MethodNotAllowed)"},
        Refusal{"Exists",
                409,
                "AlreadyExists",
                "secrets \"x\" already exists",
                {},
                Code::kConflict,
                "secrets \"x\" already exists"},
        Refusal{"Stale",
                409,
                "Conflict",
                "the object has been modified",
                {},
                Code::kConflict,
                "the object has been modified"},
        Refusal{"Owned",
                409,
                "Conflict",
                "Apply failed with 2 conflicts",
                {{"causes",
                  {cause("FieldManagerConflict", ".data.a", "conflict with \"argocd\" using v1"),
                   cause("FieldManagerConflict",
                         ".data.b",
                         "conflict with \"kubectl-edit\" using v1 at 2026-01-01T00:00:00Z")}}},
                Code::kConflict,
                "someone else owns what would change: '.data.a' belongs to 'argocd', '.data.b' "
                "belongs to 'kubectl-edit'",
                {"nothing is taken over by force: find out what writes these fields"}},
        Refusal{"Expired",
                410,
                "Expired",
                "The resourceVersion is too old",
                {},
                Code::kUnavailable,
                "it is too old by now: The resourceVersion is too old"},
        Refusal{"TooLarge",
                413,
                "RequestEntityTooLarge",
                "limit is 3145728",
                {},
                Code::kRefused,
                "it is larger than the server takes: limit is 3145728"},
        Refusal{"WrongType",
                415,
                "UnsupportedMediaType",
                "the body was in an unknown format",
                {},
                Code::kInternal,
                "the body was in an unknown format (415 UnsupportedMediaType)"},
        Refusal{"Invalid",
                422,
                "Invalid",
                "Secret \"x\" is invalid",
                {{"causes",
                  {cause("FieldValueInvalid", "type", "field is immutable"),
                   cause("FieldValueRequired", "data", "needed")}}},
                Code::kInternal,
                "Secret \"x\" is invalid; type: field is immutable; data: needed (422 Invalid)"},
        Refusal{"Throttled",
                429,
                "TooManyRequests",
                "please try again later",
                {},
                Code::kUnavailable,
                "the server has too much to do (429 TooManyRequests)"},
        Refusal{"OldTypeError",
                500,
                "",
                "failed to create typed patch object: expected string",
                {},
                Code::kInternal,
                "failed to create typed patch object: expected string (500)"},
        Refusal{"Timeout",
                504,
                "Timeout",
                "Too large resource version",
                {{"causes", {cause("ResourceVersionTooLarge", "", "Too large resource version")}},
                 {"retryAfterSeconds", 1}},
                Code::kUnavailable,
                "Too large resource version (504 Timeout)"}),
    [](const auto& test_case) { return std::string(test_case.param.name); });

TEST(ErrorFromReply, ShowsWhereTheAuditLogHasIt) {
  Reply reply{.status = 409, .body = R"({"kind":"Status","message":"no","reason":"Conflict"})"};
  reply.audit_id = "b7e9";
  EXPECT_THAT(error_from_reply(reply, "doing it").hints,
              ElementsAre("the server's audit log has this request as 'b7e9'"));
}

TEST(ErrorFromReply, ShowsBothCodesOfAServerThatContradictsItself) {
  Refusal refusal{"", 500, "NotFound", "gone", {}, Code::kUnavailable, ""};
  Reply reply = reply_of(refusal);
  reply.status = 503;
  EXPECT_EQ(error_from_reply(reply, "doing it").message,
            "doing it: gone (503 NotFound) (answered with HTTP 503, its status says 500)");
}

TEST(ErrorFromReply, ShowsTheBeginningOfAPageThatIsNoApiServers) {
  const Reply reply{.status = 502,
                    .content_type = "text/html",
                    .body = "<html>\x1b[1mBad Gateway" + std::string(300, '!')};
  const auto error = error_from_reply(reply, "doing it");
  EXPECT_EQ(error.message,
            "doing it: the answer is not that of a Kubernetes API server: 502, text/html, "
            "'<html>?[1mBad Gateway" +
                std::string(179, '!') + "...'");
}

TEST(ReadStatus, KnowsHowLongToWaitAndHowAListGoesOn) {
  const Reply reply{.status = 410,
                    .body = R"({"kind":"Status","metadata":{"continue":"x"},"code":410,
                               "details":{"uid":"u","retryAfterSeconds":7}})"};
  const auto status = read_status(reply);
  EXPECT_EQ(status.next, "x");
  EXPECT_EQ(status.retry_after, base::Seconds(7));
  EXPECT_EQ(status.detail_uid, "u");
}

TEST(ReadStatus, BelievesNoAbsurdNumber) {
  for (const char* number : {"-1", "1e300", "99999999999999999999", "\"5\"", "null", "[]"}) {
    const Reply reply{
        .status = 429,
        .body = std::string(R"({"kind":"Status","details":{"retryAfterSeconds":)") + number + "}}"};
    EXPECT_FALSE(read_status(reply).retry_after) << number;
  }
}

TEST(RetryAfter, IsSecondsOrADateByTheServersOwnClock) {
  const auto now = *base::parse_rfc3339("2031-01-01T00:00:00Z");
  const auto at = [&](std::string_view header, std::string_view date = "") {
    return parse_retry_after(header, date, now);
  };
  EXPECT_EQ(at("7"), base::Seconds(7));
  EXPECT_EQ(at("0"), base::Seconds(0));
  EXPECT_EQ(at("99999999999999999999"), base::Seconds::max());
  EXPECT_EQ(at("Wed, 01 Jan 2031 00:00:30 GMT"), base::Seconds(30));
  EXPECT_EQ(at("Wed, 01 Jan 2031 00:00:30 GMT", "Wed, 01 Jan 2031 00:00:10 GMT"),
            base::Seconds(20));
  EXPECT_EQ(at("Wed, 01 Jan 2020 00:00:30 GMT"), base::Seconds(0));
  for (const char* wrong : {"", "-1", "soon", "1.5"}) {
    EXPECT_FALSE(at(wrong).has_value() && at(wrong)->count() != 0) << wrong;
  }
}

}  // namespace
}  // namespace meshtrust::k8s
