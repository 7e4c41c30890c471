#include "profiles/schema.h"

#include "profiles/keys.h"
#include "profiles/mesh.h"

#include <nlohmann/json.hpp>

#include <string_view>

namespace meshtrust::profiles {
namespace {

using base::Json;

Json schema_of(const Shape& shape);

/// A default as a value of the document.
Json default_of(const Key& key) {
  if (key.shape.kind == Shape::Kind::kSwitch) return key.standard == "true";
  return key.standard;
}

Json schema_of_mapping(const Shape& shape) {
  Json schema{{"type", "object"}, {"additionalProperties", false}};
  for (const Key& key : shape.keys) {
    Json property = schema_of(key.shape);
    property["description"] = key.doc;
    if (!key.standard.empty()) property["default"] = default_of(key);
    if (key.need == Key::Need::kRequired) schema["required"].push_back(key.name);
    schema["properties"][key.name] = std::move(property);
  }
  return schema;
}

Json schema_of_table(const Shape& shape) {
  Json table{{"type", "object"},
             {"minProperties", 1},
             {"propertyNames",
              {{"pattern", shape.text->pattern}, {"maxLength", shape.text->longest_characters}}},
             {"additionalProperties", schema_of(shape.item.front())}};
  if (shape.words.empty()) return table;
  return {{"anyOf", Json::array({Json{{"enum", shape.words}}, std::move(table)})}};
}

Json schema_of(const Shape& shape) {
  switch (shape.kind) {
    case Shape::Kind::kMapping:
      return schema_of_mapping(shape);
    case Shape::Kind::kWord:
      return {{"enum", shape.words}};
    case Shape::Kind::kList:
      return {{"type", "array"},
              {"minItems", 1},
              {"uniqueItems", shape.repeats == Shape::Repeats::kRefused},
              {"items", schema_of(shape.item.front())}};
    case Shape::Kind::kSwitch:
      return {{"type", "boolean"}};
    case Shape::Kind::kTable:
      return schema_of_table(shape);
    case Shape::Kind::kFree:
      return {{"type", "object"}};
    case Shape::Kind::kText:
      break;
  }
  return {{"type", "string"},
          {"pattern", shape.text->pattern},
          {"maxLength", shape.text->longest_characters}};
}

Json has(std::string_view key) {
  return {{"required", {key}}};
}

Json has_value(std::string_view key, std::string_view value) {
  return {{"required", {key}}, {"properties", {{key, {{"const", value}}}}}};
}

Json negated(Json schema) {
  return {{"not", std::move(schema)}};
}

Json when(Json condition, Json consequence) {
  return {{"if", std::move(condition)}, {"then", std::move(consequence)}};
}

Json all_of(std::initializer_list<Json> schemas) {
  return {{"allOf", Json::array_t(schemas)}};
}

/// `spec` whose key `key` is as `schema` says, where it is there at all.
Json property(std::string_view key, Json schema) {
  return {{"properties", {{key, std::move(schema)}}}};
}

/// `spec.defaults` is there and as `schema` says.
Json defaults(Json schema) {
  Json spec = property("defaults", std::move(schema));
  spec["required"] = {"defaults"};
  return spec;
}

/// `spec` of an ambient mesh.
Json is_ambient() {
  return {{"required", {"istio"}},
          {"properties", {{"istio", has_value("dataPlane", name_of(DataPlane::kAmbient))}}}};
}

Json every_cluster(Json schema) {
  return property("clusters", {{"items", std::move(schema)}});
}

Json some_cluster(Json schema) {
  return property("clusters", {{"contains", std::move(schema)}});
}

Json any_of(std::initializer_list<Json> schemas) {
  return {{"anyOf", Json::array_t(schemas)}};
}

/// A cluster of `role`, in a file whose clusters are `standard` unless they say otherwise.
Json is_role(Role role, Role standard) {
  if (role != standard) return has_value("role", name_of(role));
  Json others = Json::array();
  for (const Role other : all_roles()) {
    if (other != role) others.push_back(name_of(other));
  }
  return negated(
      {{"required", {"role"}}, {"properties", {{"role", {{"enum", std::move(others)}}}}}});
}

/// What the clusters of a mesh that states `topology` are.
Json clusters_of(Topology topology, Role standard) {
  const auto every_primary = every_cluster(is_role(Role::kPrimary, standard));
  switch (topology) {
    case Topology::kMultiPrimary:
    case Topology::kMultiPrimaryMultiNetwork:
    case Topology::kAmbientMultiNetwork:
      return every_primary;
    case Topology::kPrimaryRemote:
    case Topology::kPrimaryRemoteMultiNetwork:
      return some_cluster(is_role(Role::kRemote, standard));
    case Topology::kExternalControlPlane:
      break;
  }
  return some_cluster(is_role(Role::kExternal, standard));
}

/// The rules about roles, for a file whose clusters are `standard` unless they say otherwise.
Json role_rules(Role standard) {
  const Json external = is_role(Role::kExternal, standard);
  const Json config = is_role(Role::kConfig, standard);
  const Json primary = is_role(Role::kPrimary, standard);
  const Json runs_istiod = any_of({primary, external});
  Json rules = Json::array();
  rules.push_back(some_cluster(runs_istiod));
  rules.push_back(every_cluster(when(runs_istiod, negated(has("controlPlane")))));
  rules.push_back(when(negated(defaults(has("controlPlane"))),
                       every_cluster(when(negated(runs_istiod), has("controlPlane")))));
  rules.push_back(every_cluster(when(has("external"), external)));
  rules.push_back(when(some_cluster(external),
                       all_of({some_cluster(config), every_cluster(negated(primary))})));
  rules.push_back(when(some_cluster(config), some_cluster(external)));
  rules.push_back(when(is_ambient(), every_cluster(primary)));
  for (const Topology topology : all_topologies()) {
    const bool ambient = topology == Topology::kAmbientMultiNetwork;
    const Json stated = has_value("topology", name_of(topology));
    rules.push_back(when(stated, clusters_of(topology, standard)));
    rules.push_back(when(stated, ambient ? is_ambient() : negated(is_ambient())));
  }
  return {{"allOf", std::move(rules)}};
}

/// How others reach a control plane: by a host with its certificate, or by an address, or neither.
Json external_rules() {
  Json rules{{"dependencies", {{"host", {"tlsSecret"}}, {"tlsSecret", {"host"}}}}};
  rules["not"] = {{"required", {"host", "ip"}}};
  return every_cluster(property("external", std::move(rules)));
}

/// The rules across keys (profiles/validate.h, profiles/model.h) as far as a schema can say them.
Json rules_of_spec() {
  Json rules = Json::array();
  rules.push_back(when(negated(defaults(has("network"))), every_cluster(has("network"))));
  Json by_default = Json::array();
  for (const Role role : all_roles()) {
    const Json is_default = defaults(has_value("role", name_of(role)));
    if (role == Role::kPrimary) continue;
    rules.push_back(when(is_default, role_rules(role)));
    by_default.push_back(is_default);
  }
  rules.push_back(when(negated({{"anyOf", std::move(by_default)}}), role_rules(Role::kPrimary)));
  rules.push_back(external_rules());
  return rules;
}

}  // namespace

base::Json mesh_schema() {
  Json schema = schema_of(mesh_shape());
  schema["$schema"] = "http://json-schema.org/draft-07/schema#";
  schema["$id"] = "urn:meshtrust:mesh:v1";
  schema["title"] = "Mesh file of meshtrust";
  schema["description"] = "What a multi-cluster Istio mesh should be.";
  schema["properties"]["spec"]["allOf"] = rules_of_spec();
  return schema;
}

}  // namespace meshtrust::profiles
