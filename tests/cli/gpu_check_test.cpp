// tools/gpu_check.sh on a machine without a GPU: programs that do nothing stand for all that it
// runs, and the time it has for them is short.
#include <chrono>

#include "tests/cli/program.h"

namespace ink {
namespace {

class GpuCheck : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    for (const char* tool : {"nvidia-smi", "python3", "compute-sanitizer"})
      stand_in(std::string("bin/") + tool, "");
    for (const char* bench : {"encode", "cuda_attention", "cuda_gemm", "cuda_rows"})
      stand_in(std::string("built/bench/") + bench, "");
    stand_in("built/tests/test_cuda", "");
  }
  void stand_in(const fs::path& program, const std::string& script) const {
    create_folders((folder_ / program).parent_path());
    write_file(folder_ / program, "#!/bin/sh\n" + script + "\n");
    fs::permissions(folder_ / program, fs::perms::owner_all);
  }
  Finished check(const std::string& arguments) const {
    return shell("PATH=\"$PWD/bin:$PATH\" '" INK_SOURCE_DIR
                 "/tools/gpu_check.sh' --out \"$PWD/out\" " +
                 arguments);
  }
};

void expect_in_order(const std::string& text, const std::vector<std::string>& parts) {
  size_t from = 0;
  for (const std::string& part : parts) {
    const size_t found = text.find(part, from);
    ASSERT_NE(found, std::string::npos) << "no '" << part << "' in its place of\n" << text;
    from = found + part.size();
  }
}

TEST_F(GpuCheck, RunsWhatMattersMostFirst) {
  stand_in("bin/compute-sanitizer", "echo \"$@\"; [ \"$2\" != initcheck ]");
  const Finished f = check("--build \"$PWD/built\" --skip build,demo");
  EXPECT_EQ(f.status, 1);
  expect_in_order(f.out, {"tests: status 0", "host: ", "int8: ", "attention: ", "products: ",
                          "rows: ", "peers: ", "peers-f32: ", "peers-tf32: ", "memcheck: ",
                          "--gtest_filter", "GraphOnDevice*", "racecheck: "});
  EXPECT_NE(f.error.find("failed: initcheck (logs in "), std::string::npos) << f.error;
}

// One that does not end by itself, not even when it is asked to, leaves no time for others.
TEST_F(GpuCheck, EndsInTime) {
  stand_in("built/bench/cuda_gemm", "trap '' TERM; while :; do sleep 1; done");
  const auto start = std::chrono::steady_clock::now();
  const Finished f = check("--build \"$PWD/built\" --skip build,peers,demo --seconds 6");
  EXPECT_LE(std::chrono::steady_clock::now() - start, std::chrono::seconds(8));
  EXPECT_EQ(f.status, 0) << f.error;
  expect_in_order(f.out,
                  {"attention: status 0", "products: status 137", "rows: left out",
                   "no time or no tools for products rows memcheck synccheck initcheck racecheck",
                   "all other parts passed"});

  stand_in("built/tests/test_cuda", "sleep 60");
  const Finished late = check("--build \"$PWD/built\" --skip build --seconds 3");
  EXPECT_EQ(late.status, 1);
  EXPECT_NE(late.error.find("failed: tests"), std::string::npos) << late.error;
}

TEST_F(GpuCheck, LeavesOutWhatTheMachineLacks) {
  stand_in("bin/python3", "exit 1");
  const Finished f = check("--build \"$PWD/built\" --skip build,sanitizers,demo");
  EXPECT_EQ(f.status, 0) << f.error;
  expect_in_order(f.out, {"peers: left out, there is no PyTorch here", "no tools for peers"});
}

TEST_F(GpuCheck, ShowsTheDemoOfTheSameBuild) {
  stand_in("built/tools/demo_corpus", "echo made by \"$0\"; exit 3");
  const Finished f = check("--build \"$PWD/built\" --skip build,tests,benches,peers,sanitizers");
  expect_in_order(f.out, {"demo: status 3", "made by " + (folder_ / "built").string()});
}

TEST_F(GpuCheck, SaysWhatItExpects) {
  for (const auto& [arguments, message] :
       {std::pair{"--build", "gpu_check: expected a value behind --build\n"},
        {"--speed 3", "gpu_check: expected --build, --skip, --out or --seconds, got --speed\n"},
        {"--seconds ten", "gpu_check: expected a number of seconds, got ten\n"}}) {
    const Finished f = check(arguments);
    EXPECT_EQ(f.status, 2);
    EXPECT_EQ(f.error, message);
  }
}

}  // namespace
}  // namespace ink
