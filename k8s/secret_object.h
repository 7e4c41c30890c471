#pragma once

#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace meshtrust::k8s {

/// What may be known about a Secret by anybody.
struct SecretFacts {
  std::string name = {};
  std::string namespace_name = {};
  std::string uid = {};
  std::string resource_version = {};
  std::string created = {};  ///< RFC 3339
  std::map<std::string, std::string> labels = {};
  /// `kubectl.kubernetes.io/last-applied-configuration` holds a copy of the data: its value is
  /// blanked here, its presence shows.
  std::map<std::string, std::string> annotations = {};
  std::vector<std::string> managers = {};  ///< of metadata.managedFields, each once
  std::vector<std::string> finalizers = {};
  struct Owner {
    std::string kind = {};
    std::string uid = {};
  };
  std::vector<Owner> owners = {};  ///< of metadata.ownerReferences
  bool is_being_deleted = false;   ///< has a deletionTimestamp
  std::string type = {};           ///< "" when only the metadata was asked for
  bool immutable = false;
};

/// A Secret with its values, decoded.
struct SecretObject {
  SecretFacts facts;
  std::map<std::string, base::Secret> data = {};
};

/// The metadata of any object, or of an element of a list.
SecretFacts facts_of(const base::Json& object);

/// Reads a Secret (or the PartialObjectMetadata of one) from an answer. The values of `data` and
/// `stringData` and every copy that annotations hold are cut out of `answer`, and blanked in it,
/// before a JSON library sees the rest. kUnavailable for an answer that breaks off or is something
/// else; the message never quotes it.
base::Result<SecretObject> parse_secret(base::Secret answer);

/// What to write into a Secret: the whole of it, for server-side apply.
struct SecretContent {
  std::map<std::string, std::string> labels = {};
  std::map<std::string, std::string> annotations = {};
  std::string type = "Opaque";
  std::map<std::string, const base::Secret*> data = {};
  /// When set, the apply fails with kConflict if the live object has another version by now.
  std::string resource_version = {};
};

/// The body of an apply. The encoded values exist nowhere but in the result.
base::Secret secret_manifest(std::string_view namespace_name,
                             std::string_view name,
                             const SecretContent& content);

/// Overwrites with "*" whatever could be encoded key material in a server's words: long runs of
/// base64. Old servers quote the request body in their complaints.
void blank_base64_runs(base::Secret& text);

}  // namespace meshtrust::k8s
