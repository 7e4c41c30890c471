#include "k8s/manifest.h"

#include "tests/support/matchers.h"

#include <gmock/gmock.h>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Secret;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

/// "object key=value" of every value.
std::vector<std::string> read(std::string_view text) {
  std::vector<std::string> found;
  const auto values = read_manifest("f.yaml", Secret(text));
  if (!values || !*values) return {values ? "no manifest" : values.error().message};
  for (const ManifestValue& value : **values) {
    found.push_back(value.object + " " + value.key + "=" +
                    std::string(reveal(value.value, "test")));
  }
  return found;
}

TEST(ReadManifest, DecodesWhatAKindKeepsEncoded) {
  EXPECT_THAT(read("apiVersion: v1\nkind: Secret\nmetadata: {name: cacerts, namespace: mesh}\n"
                   "data: {a: aGk=, empty: null}\nstringData:\n  b: |\n    plain\n"),
              ElementsAre("secret mesh/cacerts a=hi", "secret mesh/cacerts b=plain\n"));
  EXPECT_THAT(read("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: roots}\n"
                   "data: {a: aGk=}\nbinaryData: {b: aGk=}\n"),
              ElementsAre("configmap roots a=aGk=", "configmap roots b=hi"));
}

TEST(ReadManifest, ReadsListsDocumentsAndJson) {
  EXPECT_THAT(read(R"({"apiVersion":"v1","kind":"List","items":[
                      {"apiVersion":"v1","kind":"Secret","metadata":{"name":"s"},"data":{"a":"aGk="}},
                      {"apiVersion":"v1","kind":"Service","metadata":{"name":"x"},"data":{"a":"?"}}]})"),
              ElementsAre("secret s a=hi"));
  EXPECT_THAT(
      read("apiVersion: v1\nkind: SecretList\nitems:\n- {metadata: {name: s}, data: {a: aGk=}}\n"),
      ElementsAre("secret s a=hi"));
  EXPECT_THAT(
      read("apiVersion: v1\nkind: Pod\n---\napiVersion: v1\nkind: ConfigMap\ndata: {a: b}\n"),
      ElementsAre("configmap a=b"));
}

TEST(ReadManifest, ReadsListsWithinLists) {
  std::string text = "{apiVersion: v1, kind: Secret, metadata: {name: s}, data: {a: aGk=}}";
  for (int i = 0; i < 30; ++i) {
    text = "{apiVersion: v1, kind: List, items: [" + text + "]}";
  }
  EXPECT_THAT(read(text), ElementsAre("secret s a=hi"));
  EXPECT_THAT(read("{apiVersion: v1, kind: List}"), IsEmpty());
}

TEST(ReadManifest, LeavesWhatIsNoManifestToOthers) {
  for (const char* text :
       {"", "-----BEGIN CERTIFICATE-----\n", "kind of text", "- a list: apiVersion, kind"}) {
    EXPECT_THAT(read(text), ElementsAre("no manifest")) << text;
  }
  EXPECT_THAT(read("apiVersion: v1\nkind: Pod\n"), IsEmpty());
}

TEST(ReadManifest, SaysWhereItIsBrokenAndQuotesNothing) {
  constexpr const char* kSecret = "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n";
  EXPECT_THAT(read_manifest("f", Secret(std::string(kSecret) + "data: {key: hush!}\n")),
              test::FailsWith(Code::kInvalidInput, "secret s: 'key' is not base64"));
  EXPECT_THAT(read_manifest("f", Secret(std::string(kSecret) + "data: [hush]\n")),
              test::FailsWith(Code::kInvalidInput, "secret s: 'data' is not a map"));
  EXPECT_THAT(read_manifest("f", Secret(std::string(kSecret) + "data: {key: [hush]}\n")),
              test::FailsWith(Code::kInvalidInput, "secret s: 'key' is not text"));
  const auto broken = read_manifest("f", Secret(std::string(kSecret) + "data: {key: [hush\n"));
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().place.file, "f");
  EXPECT_EQ(broken.error().place.source_line, "");
  EXPECT_THAT(broken.error().message, ::testing::Not(::testing::HasSubstr("hush")));
}

}  // namespace
}  // namespace meshtrust::k8s
