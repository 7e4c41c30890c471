// Every file of tests/data/mesh: the good ones load, the bad ones give the errors that stand beside
// them, whole. Adding a case adds a file.
#include "profiles/load.h"
#include "tests/profiles/golden.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

namespace meshtrust::profiles {
namespace {

/// The stems of the .yaml files in a folder given from tests/, sorted.
std::vector<std::string> names_in(const std::string& folder) {
  std::vector<std::string> names;
  const std::filesystem::path path = std::string(MESHTRUST_TEST_DATA) + "/" + folder;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    if (entry.path().extension() == ".yaml") names.push_back(entry.path().stem().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::string name_of_case(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

class GoodMeshFile : public testing::TestWithParam<std::string> {};

TEST_P(GoodMeshFile, Loads) {
  const auto text = read_test_file("data/mesh/good/" + GetParam() + ".yaml");
  const auto mesh = load_mesh("mesh.yaml", text);
  EXPECT_TRUE(mesh) << render(mesh.error());
}

INSTANTIATE_TEST_SUITE_P(Corpus,
                         GoodMeshFile,
                         testing::ValuesIn(names_in("data/mesh/good")),
                         name_of_case);

class BadMeshFile : public testing::TestWithParam<std::string> {};

TEST_P(BadMeshFile, GivesExactlyTheExpectedErrors) {
  const auto text = read_test_file("data/mesh/bad/" + GetParam() + ".yaml");
  const auto mesh = load_mesh("mesh.yaml", text);
  ASSERT_FALSE(mesh) << "was accepted";
  for (const base::Error& error : mesh.error()) {
    EXPECT_EQ(error.code, base::Code::kInvalidInput);
    EXPECT_GT(error.place.line, 0) << error.message;
  }
  expect_golden("data/mesh/bad/" + GetParam() + ".expected", render(mesh.error()));
}

INSTANTIATE_TEST_SUITE_P(Corpus,
                         BadMeshFile,
                         testing::ValuesIn(names_in("data/mesh/bad")),
                         name_of_case);

TEST(Examples, Load) {
  const auto names = names_in("../examples");
  EXPECT_FALSE(names.empty());
  for (const std::string& name : names) {
    const auto mesh = load_mesh(name, read_test_file("../examples/" + name + ".yaml"));
    EXPECT_TRUE(mesh) << render(mesh.error());
  }
}

TEST(BadMeshFile, WithTenMistakesGivesTenLocatedErrors) {
  const auto text = read_test_file("data/mesh/bad/ten_mistakes.yaml");
  const auto mesh = load_mesh("mesh.yaml", text);
  ASSERT_FALSE(mesh);
  EXPECT_GE(mesh.error().size(), 10U);
}

}  // namespace
}  // namespace meshtrust::profiles
