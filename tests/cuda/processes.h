// Several processes of this test program, each with a device of its own.
//
// A test starts them as `share`s by name; each runs this program again, which does its part and
// writes what it found into the test's folder. They meet there too: files stand for MPI, whose
// mpirun would end all of them as soon as one is gone.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "autograd/communicator.h"
#include "tensor/file.h"
#include "tests/cuda/device.h"
#include "tests/scratch_folder.h"

namespace ink {

namespace fs = std::filesystem;

// The processes of one test, which meet in a folder.
class InFolder final : public Communicator {
 public:
  InFolder(fs::path folder, int rank, int size)
      : folder_(std::move(folder)), rank_(rank), size_(size) {}
  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int here() const override { return size_; }

  std::vector<std::string> gather(const std::string& mine) override {
    write_file(message(rank_), mine);
    std::vector<std::string> all;
    for (int r = 0; r < size_; ++r) {
      while (!fs::exists(message(r))) std::this_thread::sleep_for(std::chrono::microseconds(200));
      all.push_back(read_file(message(r), size_t{1} << 30));
    }
    ++gathered_;
    return all;
  }

 private:
  fs::path message(int rank) const {
    return folder_ / ("said-" + std::to_string(gathered_) + "-" + std::to_string(rank));
  }
  fs::path folder_;
  int rank_, size_, gathered_ = 0;
};

// What a process of a test is to do; empty in the test itself.
inline std::string share() {
  const char* const name = std::getenv("INK_TEST_SHARE");
  return name ? name : "";
}
inline fs::path share_folder() { return std::getenv("INK_TEST_FOLDER"); }

class Processes : public ::testing::Test {
 protected:
  struct Ended {
    int status = 0;
    std::string output;
  };

  void SetUp() override {
    ::setenv("INK_EMULATED_DEVICES", "4", 1);
    fs::create_directories(folder_);
  }
  void TearDown() override {
    ::unsetenv("INK_EMULATED_DEVICES");
    fs::remove_all(folder_);
  }

  static bool has_devices(int count) {
    int found = 0;
    return cudaGetDeviceCount(&found) == cudaSuccess && found >= count;
  }
  static std::string program() {
    return "env -u GTEST_OUTPUT '" + fs::read_symlink("/proc/self/exe").string() +
           "' --gtest_brief=1 --gtest_filter=Share.IsDone";
  }
  // All of them at once; each is given a minute or two.
  std::vector<Ended> run(int processes, const std::string& what,
                         const std::string& environment = "") const {
    std::string script = "export INK_TEST_SHARE=" + what + " INK_TEST_FOLDER='" + folder_.string() +
                         "' OMPI_COMM_WORLD_SIZE=" + std::to_string(processes) + ' ' + environment +
                         "\nrm -f '" + folder_.string() + "'/said-*\n";
    for (int r = 0; r < processes; ++r) {
      const std::string rank = std::to_string(r), out = (folder_ / ("output-" + rank)).string();
      script += "(OMPI_COMM_WORLD_RANK=" + rank + " OMPI_COMM_WORLD_LOCAL_RANK=" + rank +
                " timeout -s KILL 150 " + program() + " >'" + out +
                "' 2>&1 </dev/null; echo $? >'" + out + ".status') &\n";
    }
    std::system((script + "wait\n").c_str());
    std::vector<Ended> all;
    for (int r = 0; r < processes; ++r) {
      const std::string name = "output-" + std::to_string(r);
      all.push_back({std::atoi(read_file(folder_ / (name + ".status"), 100).c_str()),
                     read_file(folder_ / name, 1 << 20)});
    }
    return all;
  }
  void expect_done(const std::vector<Ended>& all) const {
    for (size_t r = 0; r < all.size(); ++r)
      EXPECT_EQ(all[r].status, 0) << "rank " << r << "\n" << all[r].output;
  }
  std::string found(const std::string& name) const {
    return read_file(folder_ / name, size_t{1} << 30);
  }

  const fs::path folder_ = scratch_folder("ink_processes");
};

}  // namespace ink
