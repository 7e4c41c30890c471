#include "profiles/schema.h"

#include "profiles/keys.h"
#include "profiles/mesh.h"

#include <nlohmann/json.hpp>

#include <string_view>

namespace meshtrust::profiles {
namespace {

using base::Json;

Json schema_of(const Shape& shape);

Json schema_of_mapping(const Shape& shape) {
  Json schema{{"type", "object"}, {"additionalProperties", false}};
  for (const Key& key : shape.keys) {
    Json property = schema_of(key.shape);
    property["description"] = key.doc;
    if (!key.standard.empty()) property["default"] = key.standard;
    if (key.need == Key::Need::kRequired) schema["required"].push_back(key.name);
    schema["properties"][key.name] = std::move(property);
  }
  return schema;
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

Json every_cluster(Json schema) {
  return property("clusters", {{"items", std::move(schema)}});
}

Json some_cluster(Json schema) {
  return property("clusters", {{"contains", std::move(schema)}});
}

/// The rules about roles, for a file whose clusters are `standard` unless they say otherwise.
Json role_rules(Role standard) {
  const Json primary = standard == Role::kPrimary
                           ? negated(has_value("role", name_of(Role::kRemote)))
                           : has_value("role", name_of(Role::kPrimary));
  const Json remote = negated(primary);
  Json rules = Json::array();
  rules.push_back(some_cluster(primary));
  rules.push_back(every_cluster(when(primary, negated(has("controlPlane")))));
  rules.push_back(when(negated(defaults(has("controlPlane"))),
                       every_cluster(when(remote, has("controlPlane")))));
  for (const Topology topology : all_topologies()) {
    const bool has_remotes =
        topology == Topology::kPrimaryRemote || topology == Topology::kPrimaryRemoteMultiNetwork;
    rules.push_back(when(has_value("topology", name_of(topology)),
                         has_remotes ? some_cluster(remote) : every_cluster(primary)));
  }
  return {{"allOf", std::move(rules)}};
}

/// The rules across keys (profiles/validate.h) as far as a schema can say them.
Json rules_of_spec() {
  const Json remote_by_default = defaults(has_value("role", name_of(Role::kRemote)));
  return all_of({
      when(negated(defaults(has("network"))), every_cluster(has("network"))),
      when(remote_by_default, role_rules(Role::kRemote)),
      when(negated(remote_by_default), role_rules(Role::kPrimary)),
  })["allOf"];
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
