#include "k8s/status.h"

#include "base/text.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Error;
using base::Json;

constexpr std::size_t kMostOfAPage = 200;
constexpr std::string_view kNoSuchPath = "404 page not found";  ///< what Go's router says

/// A whole number, or 0; no number that a server means is larger than an int.
long number_at(const Json& object, std::string_view key) {
  const Json& value = base::at_path(object, {key});
  constexpr long kMost = 2'147'483'647;
  return value.is_number_integer() && value >= 0 && value <= kMost ? value.get<long>() : 0;
}

/// `conflict with "kubectl-create" using v1` names the manager between the quotes.
std::string manager_of(const ServerStatus::Cause& cause) {
  const std::size_t open = cause.message.find('"');
  if (open == std::string::npos) return cause.message;
  const std::size_t close = cause.message.find('"', open + 1);
  return cause.message.substr(open + 1, close - open - 1);
}

std::string owned_fields(const ServerStatus& status) {
  std::vector<std::string> parts;
  for (const auto& cause : status.causes) {
    if (cause.reason != "FieldManagerConflict") continue;
    parts.push_back("'" + base::printable(cause.field) + "' belongs to '" +
                    base::printable(manager_of(cause)) + "'");
  }
  return base::join(parts, ", ");
}

std::string with_causes(const ServerStatus& status) {
  std::string text = base::printable(status.message);
  for (const auto& cause : status.causes) {
    if (status.message.find(cause.message) != std::string::npos) continue;
    text += "; " + base::printable(cause.field) + ": " + base::printable(cause.message);
  }
  return text;
}

std::string code_and_reason(const ServerStatus& status) {
  return std::to_string(status.code) + (status.reason.empty() ? "" : " " + status.reason);
}

Error conflict(const ServerStatus& status) {
  if (!status.has_cause("FieldManagerConflict")) {
    return {.code = Code::kConflict, .message = base::printable(status.message)};
  }
  return {.code = Code::kConflict,
          .message = "someone else owns what would change: " + owned_fields(status),
          .hints = {"nothing is taken over by force: find out what writes these fields"}};
}

bool contains(const std::string& text, std::string_view words) {
  return text.find(words) != std::string::npos;
}

/// RBAC names the user and what they cannot do; so does its guard against granting more than one
/// has. Any other 403 comes from admission.
bool is_about_rights(const std::string& message) {
  return contains(message, "\" cannot ") || contains(message, "is attempting to grant RBAC");
}

Error forbidden(const ServerStatus& status) {
  const std::string words = base::printable(status.message);
  if (status.has_cause("NamespaceTerminating")) {
    return {.code = Code::kConflict,
            .message = words,
            .hints = {"the namespace is being deleted: try again when it is gone"}};
  }
  if (!is_about_rights(status.message)) {
    return {.code = Code::kRefused,
            .message = "an admission rule of the cluster says no: " + words};
  }
  Error error{.code = Code::kPermission, .message = "not permitted: " + words};
  if (contains(status.message, "\"system:anonymous\"")) {
    error.hints.emplace_back("the server took us for nobody: no credentials reached it");
  }
  return error;
}

/// A denial in the words of who denied it, or nothing when no webhook or policy did.
std::optional<Error> denied_by_admission(const ServerStatus& status) {
  const std::string& message = status.message;
  const bool webhook =
      contains(message, "admission webhook") && contains(message, "denied the request");
  const bool policy =
      contains(message, "ValidatingAdmissionPolicy") && contains(message, "denied request");
  if (webhook || policy) {
    return Error{.code = Code::kRefused, .message = base::printable(message)};
  }
  if (!contains(message, "failed calling webhook")) return std::nullopt;
  return Error{.code = Code::kUnavailable,
               .message = base::printable(message),
               .hints = {"a webhook that the cluster has to ask does not answer: look at its "
                         "service and pods"}};
}

Error not_served(const ServerStatus& status, std::string_view words) {
  return {.code = Code::kUnavailable,
          .message = "the server does not serve this kind of object, it answered " +
                     std::to_string(status.code) + " '" + base::printable(words, kMostOfAPage) +
                     "'",
          .hints = {"is the CRD installed, and is this the address of a Kubernetes API server?"}};
}

Error not_found(const ServerStatus& status, const Reply& reply) {
  if (!status.understood) {
    const std::string_view page = base::trim(reply.text("answer of a server"));
    return page == kNoSuchPath ? not_served(status, page) : not_kubernetes(reply);
  }
  if (status.reason == "NotFound" && status.detail_name.empty()) {
    return not_served(status, status.message);
  }
  Error error{.code = Code::kNotFound, .message = base::printable(status.message)};
  if (status.detail_kind == "namespaces") {
    error.hints.emplace_back("the namespace does not exist in this cluster");
  }
  return error;
}

/// A page for people; some servers and authenticators before them answer 401 in plain text.
bool is_a_page(const Reply& reply) {
  return reply.content_type.find("html") != std::string::npos ||
         base::trim(reply.text("answer of a server")).starts_with('<');
}

Error from_status(const ServerStatus& status, const Reply& reply) {
  if (auto denied = denied_by_admission(status)) return *std::move(denied);
  switch (status.code) {
    case 401:
      if (is_a_page(reply)) return not_kubernetes(reply);
      return {.code = Code::kPermission,
              .message = "the server does not accept the credentials (401 Unauthorized)"};
    case 403:
      return status.understood ? forbidden(status) : not_kubernetes(reply);
    case 404:
      return not_found(status, reply);
    case 409:
      return status.understood ? conflict(status) : not_kubernetes(reply);
    case 410:
      if (!status.understood) return not_kubernetes(reply);
      return {.code = Code::kUnavailable,
              .message = "it is too old by now: " + base::printable(status.message)};
    case 413:
      if (!status.understood) return not_kubernetes(reply);
      return {.code = Code::kRefused,
              .message = "it is larger than the server takes: " + base::printable(status.message)};
    case 429:
      return {.code = Code::kUnavailable,
              .message = "the server has too much to do (429 TooManyRequests)"};
    default:
      break;
  }
  if (!status.understood) return not_kubernetes(reply);
  // An applied object that does not fit the schema gives a 500 without a reason.
  const bool our_mistake = status.message.starts_with("failed to create typed patch object");
  const bool theirs = (status.code >= 500 && !our_mistake) || status.code < 400;
  return {.code = theirs ? Code::kUnavailable : Code::kInternal,
          .message = with_causes(status) + " (" + code_and_reason(status) + ")"};
}

/// For a server, or something on the way, that contradicts itself.
std::string contradiction(const ServerStatus& status) {
  if (status.stated_code == 0 || status.stated_code == status.code) return {};
  return " (answered with HTTP " + std::to_string(status.code) + ", its status says " +
         std::to_string(status.stated_code) + ")";
}

}  // namespace

bool ServerStatus::has_cause(std::string_view wanted) const {
  return std::any_of(causes.begin(), causes.end(),
                     [&](const auto& cause) { return cause.reason == wanted; });
}

/// A proxy, a load balancer, a login page: anything but an API server.
Error not_kubernetes(const Reply& reply) {
  const std::string type = reply.content_type.empty() ? "no content type" : reply.content_type;
  const std::string_view body = base::trim(reply.text("answer of a server"));
  return {.code = Code::kUnavailable,
          .message =
              "the answer is not that of a Kubernetes API server: " + std::to_string(reply.status) +
              ", " + base::printable(type, 80) + ", '" + base::printable(body, kMostOfAPage) + "'",
          .hints = {"a proxy or a load balancer may stand in between"}};
}

ServerStatus read_status(const Reply& reply) {
  ServerStatus status;
  status.code = reply.status;
  auto parsed = base::parse_json(reply.text("status of an API server"), "answer");
  if (!parsed || !parsed->is_object() || base::string_at(*parsed, "kind") != "Status") {
    return status;
  }
  status.understood = true;
  status.reason = base::string_at(*parsed, "reason");
  status.message = base::string_at(*parsed, "message");
  const Json& details = base::at_path(*parsed, {"details"});
  status.detail_kind = base::string_at(details, "kind");
  status.detail_name = base::string_at(details, "name");
  status.detail_uid = base::string_at(details, "uid");
  status.stated_code = static_cast<int>(number_at(*parsed, "code"));
  if (const long seconds = number_at(details, "retryAfterSeconds"); seconds > 0) {
    status.retry_after = base::Seconds(seconds);
  }
  status.next = base::string_at(base::at_path(*parsed, {"metadata"}), "continue");
  for (const Json& cause : base::at_path(details, {"causes"})) {
    status.causes.push_back({.reason = base::string_at(cause, "reason"),
                             .field = base::string_at(cause, "field"),
                             .message = base::string_at(cause, "message")});
  }
  return status;
}

Missing what_is_missing(const ServerStatus& status, const Reply& reply, const ObjectRef& ref) {
  if (!status.understood) {
    const bool page = base::trim(reply.text("answer of a server")) == kNoSuchPath;
    return page ? Missing::kResource : Missing::kOther;
  }
  if (status.reason != "NotFound") return Missing::kOther;
  // A custom resource of a kind that is just being removed answers with a Status without details,
  // and so does a group that is served for a resource that it does not have.
  if (status.detail_name.empty()) return Missing::kResource;
  if (status.detail_kind == ref.resource && status.detail_name == ref.name) {
    return Missing::kObject;
  }
  if (status.detail_kind == "namespaces" && status.detail_name == ref.namespace_name) {
    return Missing::kNamespace;
  }
  return Missing::kOther;
}

Error error_from_reply(const Reply& reply, std::string_view action) {
  const ServerStatus status = read_status(reply);
  Error error = from_status(status, reply);
  error.message += contradiction(status);
  // What RBAC says needs no further explanation; whoever debugs the rest wants to find it.
  const bool explains_itself = error.code == Code::kPermission || error.code == Code::kNotFound;
  if (!reply.audit_id.empty() && !explains_itself) {
    error.hints.push_back("the server's audit log has this request as '" + reply.audit_id + "'");
  }
  return with_context(std::move(error), action);
}

}  // namespace meshtrust::k8s
