#include "k8s/secret_object.h"

#include "k8s/secret_cutter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <ostream>
#include <string>

namespace meshtrust::k8s {
namespace {

using base::Code;
using base::Secret;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

std::string shown(const Secret& secret) {
  return std::string(reveal(secret, "test"));
}

TEST(CutSecretValues, TakesTheValuesOutAndLeavesTheRest) {
  Secret json(R"({"kind":"Secret","data":{"a":"a2V5","b":null, "c" : "" },"type":"Opaque"})");
  const auto cut = cut_secret_values(json);
  ASSERT_TRUE(cut) << cut.error().message;
  ASSERT_EQ(cut->size(), 3U);
  EXPECT_EQ(shown(cut->at("a")), "key");
  EXPECT_EQ(shown(cut->at("b")), "");
  EXPECT_EQ(shown(cut->at("c")), "");
  EXPECT_EQ(shown(json),
            R"({"kind":"Secret","data":{"a":"    ","b":null, "c" : "" },"type":"Opaque"})");
}

TEST(CutSecretValues, SeesThroughEscapesInKeysAndValues) {
  Secret json(R"({"d\u0061ta":{"x\"\\":"a2\u0056\u0035","n":"a2V5\n"}})");
  const auto cut = cut_secret_values(json);
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_EQ(shown(cut->at("x\"\\")), "key");
  EXPECT_EQ(shown(cut->at("n")), "key");
}

TEST(CutSecretValues, LeavesOtherFieldsOfThatNameAlone) {
  Secret json(R"({"metadata":{"data":{"a":"a2V5"}},"x":[{"data":{"a":"not base64!"}}]})");
  const auto cut = cut_secret_values(json);
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_THAT(*cut, IsEmpty());
  EXPECT_EQ(shown(json),
            R"({"metadata":{"data":{"a":"a2V5"}},"x":[{"data":{"a":"not base64!"}}]})");
}

TEST(CutSecretValues, TakesTheLastOfARepeatedKeyAndBlanksEach) {
  Secret json(R"({"data":{"a":"b25l","a":"dHdv"},"data":{"a":"a2V5"}})");
  const auto cut = cut_secret_values(json);
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_EQ(shown(cut->at("a")), "key");
  EXPECT_EQ(shown(json), R"({"data":{"a":"    ","a":"    "},"data":{"a":"    "}})");
}

TEST(CutSecretValues, BlanksStringDataAndTheLastAppliedCopy) {
  Secret json(
      R"({"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"{\"x\"}",)"
      R"("other":"kept"}},"stringData":{"a":"clear"}})");
  const auto cut = cut_secret_values(json);
  ASSERT_TRUE(cut) << cut.error().message;
  EXPECT_THAT(*cut, IsEmpty());
  EXPECT_EQ(
      shown(json),
      R"({"metadata":{"annotations":{"kubectl.kubernetes.io/last-applied-configuration":"       ",)"
      R"("other":"kept"}},"stringData":{"a":"     "}})");
}

class MalformedSecret : public ::testing::TestWithParam<const char*> {};

TEST_P(MalformedSecret, IsAnErrorThatQuotesNothing) {
  const auto parsed = parse_secret(Secret(GetParam()));
  ASSERT_FALSE(parsed);
  EXPECT_EQ(parsed.error().code, Code::kUnavailable);
  EXPECT_EQ(parsed.error().message.find("c2VjcmV0"), std::string::npos) << parsed.error().message;
}

INSTANTIATE_TEST_SUITE_P(Texts,
                         MalformedSecret,
                         ::testing::Values("",
                                           " ",
                                           "{",
                                           "[",
                                           "\"",
                                           "\"\\",
                                           "{\"",
                                           "{\"data",
                                           "{\"data\"",
                                           "{\"data\":",
                                           "{\"data\":{",
                                           "{\"data\":{\"a\"",
                                           "{\"data\":{\"a\":\"c2VjcmV0",
                                           "{\"data\":{\"a\":\"c2VjcmV0\"",
                                           "{\"data\":{\"a\":\"c2VjcmV0\"}",
                                           "{\"data\":{\"a\":\"c2VjcmV0c2VjcmV0\\\"}}",
                                           "{\"data\":{\"a\":\"c2VjcmV0=\"}}",
                                           "{\"data\":{\"a\":\"\\u00\"}}",
                                           "{\"data\":{\"a\":7}}",
                                           "{\"data\":{\"a\":{\"b\":\"c2VjcmV0\"}}}",
                                           "{\"data\":{\"\\uZZZZ\":\"c2VjcmV0\"}}",
                                           "{\"kind\":\"Secret\"} c2VjcmV0",
                                           "{\"kind\":\"SecretList\",\"items\":[]}",
                                           "{\"kind\":c2VjcmV0}",
                                           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["
                                           "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[["));

TEST(ParseSecret, ReadsTheFacts) {
  const auto parsed = parse_secret(Secret(R"({
    "kind": "Secret", "apiVersion": "v1", "type": "Opaque", "immutable": true,
    "metadata": {"name": "cacerts", "namespace": "istio-system", "uid": "u", "resourceVersion": "7",
      "creationTimestamp": "2026-11-01T00:00:00Z", "labels": {"l": "1"},
      "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}", "a": "2"},
      "managedFields": [{"manager": "meshtrust"}, {"manager": "kubectl"}, {"manager": "meshtrust"}]},
    "data": {"k": "a2V5"}})"));
  ASSERT_TRUE(parsed) << parsed.error().message;
  const SecretFacts& facts = parsed->facts;
  EXPECT_EQ(facts.name, "cacerts");
  EXPECT_EQ(facts.namespace_name, "istio-system");
  EXPECT_EQ(facts.uid, "u");
  EXPECT_EQ(facts.resource_version, "7");
  EXPECT_EQ(facts.created, "2026-11-01T00:00:00Z");
  EXPECT_THAT(facts.labels, ElementsAre(Pair("l", "1")));
  EXPECT_THAT(facts.annotations, ElementsAre(Pair("a", "2"), Pair(std::string(kLastApplied), "")));
  EXPECT_THAT(facts.managers, ElementsAre("meshtrust", "kubectl"));
  EXPECT_TRUE(facts.immutable);
}

TEST(SecretManifest, IsReadBackAsItWasWritten) {
  const Secret key(std::string_view("\0\x01\xff", 3));
  const Secret manifest = secret_manifest("ns", "n\"ame",
                                          {.labels = {{"l", "1"}},
                                           .annotations = {{"a", "2"}},
                                           .data = {{"key.pem", &key}, {"x", &key}},
                                           .seen = SecretFacts{.uid = "u"}},
                                          "7");
  EXPECT_EQ(
      shown(manifest),
      R"({"apiVersion":"v1","kind":"Secret","metadata":{"annotations":{"a":"2"},)"
      R"("labels":{"l":"1"},"name":"n\"ame","namespace":"ns","resourceVersion":"7","uid":"u"},)"
      R"("type":"Opaque","data":{"key.pem":"AAH/","x":"AAH/"}})");
  const auto parsed = parse_secret(manifest.clone());
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(shown(parsed->data.at("key.pem")), shown(key));
}

TEST(BlankBase64Runs, SparesWordsAndUids) {
  const std::string text = "uid 0f8fad5b-d9cb-469f-a165-70867728950e of secret \"cacerts\": ";
  Secret quoted(text + std::string(40, 'Q') + "|" + std::string(39, 'Q'));
  blank_base64_runs(quoted);
  EXPECT_EQ(shown(quoted), text + std::string(40, '*') + "|" + std::string(39, 'Q'));
}

}  // namespace
}  // namespace meshtrust::k8s
