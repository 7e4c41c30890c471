// What an API client writes into Secrets: over a connection of its own, and not before it was seen,
// by that very connection, which cluster is at its other end.

#include "base/check.h"
#include "base/text.h"
#include "k8s/answer.h"
#include "k8s/api_client.h"
#include "k8s/status.h"
#include "k8s/write_support.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::fail;
using base::Json;
using base::Result;
using base::Status;
using base::with_context;

Result<Applied> read_applied_secret(const ObjectRef& ref, Reply reply, std::string_view action) {
  auto answer = parse_secret(std::move(reply.secret_body));
  if (!answer) return fail(with_context(std::move(answer).error(), action));
  MESHTRUST_TRY_DO(expect_object(ref, answer->facts, action));
  return Applied{.created = reply.status == 201,
                 .uid = answer->facts.uid,
                 .resource_version = answer->facts.resource_version};
}

Error not_that_cluster(const ClientSettings& settings,
                       const std::string& wanted,
                       const std::string& found) {
  return {.code = Code::kRefused,
          .message = "another cluster than planned answers at " + settings.server.text() +
                     ": the UID of its namespace kube-system is '" + base::printable(found, 64) +
                     "', expected '" + wanted + "'; nothing was sent to it",
          .hints = {"look at what is between here and there (name service, proxy, load balancer), "
                    "then run the same command again"}};
}

/// Whether the cluster that answered is the one whose kube-system has the UID `wanted`.
Status expect_cluster(const ClientSettings& settings,
                      const std::string& wanted,
                      const Reply& reply) {
  const auto ref = namespace_ref("kube-system");
  const std::string action = "looking which cluster it is";
  if (reply.status != 200) return fail(error_from_reply(reply, action));
  const auto answer = base::parse_json(reply.text("metadata of a namespace"), "answer");
  if (!answer || !answer->is_object()) {
    return fail(Code::kUnavailable, action + ": the answer is not a JSON object, or breaks off");
  }
  const SecretFacts facts = facts_of(*answer);
  MESHTRUST_TRY_DO(expect_object(ref, facts, action));
  if (facts.uid == wanted) return {};
  return fail(not_that_cluster(settings, wanted, facts.uid));
}

bool holds_pairs(const std::map<std::string, std::string>& live,
                 const std::map<std::string, std::string>& wanted) {
  return std::all_of(wanted.begin(), wanted.end(), [&live](const auto& pair) {
    const auto found = live.find(pair.first);
    return found != live.end() && found->second == pair.second;
  });
}

/// Byte for byte: what the server or a webhook added is no difference.
bool holds_all_of(const SecretObject& live, const SecretContent& wanted) {
  const bool same_data =
      std::all_of(wanted.data.begin(), wanted.data.end(), [&live](const auto& item) {
        const auto found = live.data.find(item.first);
        return found != live.data.end() && constant_time_equal(found->second, *item.second);
      });
  return same_data && live.facts.type == wanted.type &&
         holds_pairs(live.facts.labels, wanted.labels) &&
         holds_pairs(live.facts.annotations, wanted.annotations);
}

}  // namespace

Look ApiClient::look_at_cluster(const std::string& uid) const {
  return {
      .target = namespace_ref("kube-system").path(),
      .accept = std::string(kMetadataOnly),
      .judge = [this, uid](const Reply& reply) { return expect_cluster(settings_, uid, reply); }};
}

Status ApiClient::expect_verified(std::string_view action) const {
  if (settings_.verify_server || options_.write_secrets_unverified) return {};
  return fail(
      Code::kRefused,
      std::string(action) + ": the server is not verified, so anybody could get what is sent",
      "give " + settings_.describe_cluster() +
          " its 'certificate-authority-data', or say --insecure-skip-tls-verify");
}

Result<Applied> ApiClient::apply_secret(const ObjectRef& ref, const SecretContent& content) {
  MESHTRUST_CHECK(!content.cluster_uid.empty() || content.data.empty());
  const std::string action = "applying " + ref.describe();
  MESHTRUST_TRY_DO(expect_verified(action));
  const Look look = look_at_cluster(content.cluster_uid);
  const Look* const first = content.cluster_uid.empty() ? nullptr : &look;
  Call call = begin_call();
  std::string version = content.seen ? content.seen->resource_version : std::string();
  if (content.seen && !content.seen->fields_by_create.empty()) {
    MESHTRUST_TRY(version, own_by_apply(ref, *content.seen, first, call));
  }
  const base::Secret body = secret_manifest(ref.namespace_name, ref.name, content, version);
  return settled([&]() -> Result<Result<Applied>> {
    MESHTRUST_TRY(Reply reply, patch(ref,
                                     {.accept = std::string(kMetadataOnly),
                                      .secret_body = &body,
                                      .content = Content::kConfidential,
                                      .look_first = content.cluster_uid.empty() ? nullptr : &look},
                                     DryRun::kNo, call));
    return read_applied_secret(ref, std::move(reply), action);
  });
}

/// Makes ours by apply what is ours by create, and gives the version that the object then has. It
/// stays what it is: the version in the request lets this happen to the object that was seen alone.
Result<std::string> ApiClient::own_by_apply(const ObjectRef& ref,
                                            const SecretFacts& seen,
                                            const Look* look,
                                            Call& call) {
  const std::string action = "taking over our own fields of " + ref.describe();
  const auto fields = base::parse_json(fields_by_apply(seen.fields_by_create), "managedFields");
  if (!fields) return fail(with_context(fields.error(), action));
  const Json change{
      {{"op", "replace"}, {"path", "/metadata/managedFields"}, {"value", *fields}},
      {{"op", "replace"}, {"path", "/metadata/resourceVersion"}, {"value", seen.resource_version}}};
  MESHTRUST_TRY(Reply reply, perform({.method = Method::kPatch,
                                      .target = ref.path() + write_query(),
                                      .accept = std::string(kMetadataOnly),
                                      .content_type = "application/json-patch+json",
                                      .body = base::compact(change),
                                      .content = Content::kConfidential,
                                      .look_first = look},
                                     Repeatable::kNo, action, call));
  if (is_success(reply)) {
    MESHTRUST_TRY(const Applied applied, read_applied_secret(ref, std::move(reply), action));
    return applied.resource_version;
  }
  if (!reply.secret_body.empty()) disarm(reply);
  if (reply.status == 404 && what_is_missing(read_status(reply), reply, ref) == Missing::kObject) {
    return fail(Code::kConflict, action + ": it is gone since it was looked at");
  }
  return fail(refusal(reply, action));
}

Result<Applied> ApiClient::create_secret(const ObjectRef& ref, const SecretContent& content) {
  MESHTRUST_CHECK(!content.cluster_uid.empty() || content.data.empty());
  MESHTRUST_CHECK(!ref.name.empty());
  MESHTRUST_CHECK(!content.seen);
  const std::string action = "creating " + ref.describe();
  MESHTRUST_TRY_DO(expect_verified(action));
  const base::Secret body = secret_manifest(ref.namespace_name, ref.name, content, "");
  const Look look = look_at_cluster(content.cluster_uid);
  Call call = begin_call();
  return create(
      {.action = action,
       .request = {.method = Method::kPost,
                   .target = collection_of(ref).path() + write_query(),
                   .accept = std::string(kMetadataOnly),
                   .content_type = std::string(kJson),
                   .secret_body = &body,
                   .content = Content::kConfidential,
                   .look_first = content.cluster_uid.empty() ? nullptr : &look},
       .read = [&](Reply reply) { return read_applied_secret(ref, std::move(reply), action); },
       .find = [&](Call& of) -> Result<std::optional<Applied>> {
         MESHTRUST_TRY(const auto live, get_secret_as(ref, kJson, of));
         if (!live) return std::optional<Applied>();
         if (live->facts.is_being_deleted) return fail(is_being_deleted_there(action));
         if (!holds_all_of(*live, content)) return fail(exists_already(action));
         return std::optional<Applied>(Applied{.created = false,
                                               .uid = live->facts.uid,
                                               .resource_version = live->facts.resource_version});
       }},
      call);
}

}  // namespace meshtrust::k8s
