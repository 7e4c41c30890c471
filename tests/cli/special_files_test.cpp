// FIFOs in the place of files end a command at once; descriptors that the caller gave are read.

#include "tests/cli/program_fixture.h"

#include <fmt/format.h>

#include <array>
#include <sys/stat.h>
#include <unistd.h>

namespace meshtrust::cli::testing {
namespace {

using ::testing::HasSubstr;

constexpr std::string_view kMesh =
    "apiVersion: meshtrust/v1\nkind: Mesh\nmetadata: {name: shop}\nspec:\n  clusters:\n"
    "  - {name: east, network: n1}\n";

class SpecialFilesTest : public ProgramTest {
 protected:
  SpecialFilesTest() {
    EXPECT_EQ(mkfifo(path("fifo").c_str(), 0600), 0);
    test::put_file(folder / "mesh.yaml", kMesh);
    test::put_file(folder / "with-file.yaml",
                   std::string(kMesh.substr(0, kMesh.size() - 2)) + ", file: fifo}\n");
    test::put_file(folder / "kubeconfig", "contexts: []\n");
    variables["KUBECONFIG"] = path("kubeconfig");
  }
};

TEST_F(SpecialFilesTest, EndEveryCommandThatWasToReadOne) {
  const std::string fifo = path("fifo");
  const std::string mesh = path("mesh.yaml");
  for (const std::vector<std::string>& command : std::vector<std::vector<std::string>>{
           {"plan", "-f", fifo},
           {"status", "-f", mesh, "--kubeconfig", fifo},
           {"cluster", "view", "--kubeconfig", fifo},
           {"status", "-f", mesh, "--from", fifo},
           {"status", "-f", path("with-file.yaml"), "--from", fifo},
           {"ca", "create", "--store", path("store"), "--password-file", fifo},
           {"inspect", fifo},
           {"lint", fifo},
           {"verify", "--chain", fifo, "--root", fifo}}) {
    EXPECT_EQ(run(command), kBadInput) << command.front();
    EXPECT_THAT(said(), HasSubstr("'DIR/fifo' is a FIFO, wanted a file\n")) << command.front();
  }
}

TEST_F(SpecialFilesTest, AreReadWhenTheyAreDescriptorsThatTheCallerGave) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  ASSERT_EQ(write(ends[1], kMesh.data(), kMesh.size()), static_cast<ssize_t>(kMesh.size()));
  close(ends[1]);
  run({"cluster", "check", "--offline", "-f", fmt::format("/dev/fd/{}", ends[0])});
  close(ends[0]);
  EXPECT_THAT(said(), HasSubstr("context 'east' is not in the kubeconfig"));
}

TEST_F(SpecialFilesTest, AreAnEmptyKubeconfigWhenItIsTheNullDevice) {
  EXPECT_EQ(run({"cluster", "view", "--kubeconfig", "/dev/null"}), kDone);
}

}  // namespace
}  // namespace meshtrust::cli::testing
