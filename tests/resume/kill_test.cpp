// Pre-training killed twenty times (SIGKILL), mostly while it writes checkpoints, and resumed each
// time: it ends with the same bits as a run that nobody disturbed, and no checkpoint is ever lost.
//
// The training runs in a child process: this program again, restricted to the disabled test that
// trains.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "autograd/checkpoint.h"
#include "autograd/training_log.h"
#include "objectives/pretrain.h"
#include "tensor/file.h"
#include "tests/objectives/toy_corpus.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

constexpr int kKills = 20;
constexpr int64_t kSteps = 160;
constexpr const char* kFolderVariable = "INK_TEST_KILL_FOLDER";

// What the child does; a checkpoint after every step.
void train_in(const fs::path& folder) {
  const Tokenizer tokenizer = toy_tokenizer();
  const Segmenter segmenter = toy_segmenter(folder / "dictionary");
  ModelConfig config;
  config.vocab_size = tokenizer.vocabulary().size();
  config.hidden_size = 32;
  config.head_size = 16;
  config.max_position_embeddings = 40;
  config.set_layers(1, 2, 48);
  pretrain(config, tokenizer, &segmenter,
           {.corpus = {folder.parent_path() / "texts"},
            .out = folder,
            .pair_task = PairTask::next_sentence,
            .max_tokens = 40,
            .batch_tokens = 100,
            .accumulate = 2,
            .block_bytes = 4000,
            .held_out = 0.1,
            .steps = kSteps,
            .learning_rate = 1e-3,
            .log_every = 3,
            .evaluate_every = 40,
            .checkpoint_every = 1,
            .resume = true},
           {});
}

TEST(KillTest, DISABLED_Child) {
  const char* folder = std::getenv(kFolderVariable);
  ASSERT_TRUE(folder) << "only for the test below";
  train_in(folder);
}

pid_t start_child(const fs::path& folder) {
  const pid_t child = fork();
  if (child == 0) {
    setenv(kFolderVariable, folder.c_str(), 1);
    const int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    execl("/proc/self/exe", "child", "--gtest_filter=KillTest.DISABLED_Child",
          "--gtest_also_run_disabled_tests", nullptr);
    _exit(127);
  }
  return child;
}

// The exit status of the child, or −1 when it did not end by itself.
int wait_for(pid_t child) {
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::vector<std::string> log_without_times(const fs::path& folder) {
  std::vector<std::string> lines;
  for (Json line : read_training_log(folder / "training" / "log.jsonl")) {
    line.erase("seconds");
    line.erase("tokens_per_second");
    lines.push_back(line.to_string());
  }
  return lines;
}

// Whether a checkpoint was being written when the child died.
bool half_written(const fs::path& training) {
  for (const auto& entry : fs::directory_iterator(training)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(".checkpoint-") && name.find(".old") == std::string::npos) return true;
  }
  return false;
}

TEST(KillTest, TwentyKillsChangeNoBitAndLoseNoCheckpoint) {
  const fs::path root = fs::path(testing::TempDir()) / ("ink_kill-" + std::to_string(getpid()));
  fs::remove_all(root);
  write_toy_corpus(root / "texts", 60, 2);

  const fs::path straight = root / "straight", killed = root / "killed",
                 training = killed / "training";
  ASSERT_EQ(wait_for(start_child(straight)), 0);

  Draws draws{Random(20)};
  int64_t last_step = 0, kills_while_writing = 0;
  for (int kill_number = 0; kill_number < kKills; ++kill_number) {
    const pid_t child = start_child(killed);
    // Waits until the child has started to train, then strikes at a random moment of the next few
    // steps.
    const auto fresh =
        training / ("checkpoint-" + std::string(8 - std::to_string(last_step + 1).size(), '0') +
                    std::to_string(last_step + 1));
    for (int patience = 0; patience < 20000 && !fs::exists(fresh); ++patience) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    std::this_thread::sleep_for(std::chrono::microseconds(draws.below(100'000)));
    kill(child, SIGKILL);
    ASSERT_EQ(wait_for(child), -1)
        << "the child ended before kill " << kill_number << "; last step " << last_step;
    kills_while_writing += half_written(training);

    std::vector<std::string> notices;
    const CheckpointFolder checkpoints(training, 2,
                                       [&](const std::string& s) { notices.push_back(s); });
    const auto newest = checkpoints.newest();
    ASSERT_TRUE(newest);
    EXPECT_TRUE(notices.empty()) << notices[0];
    EXPECT_GT(newest->step, last_step) << "a checkpoint was lost";
    last_step = newest->step;
  }
  ASSERT_LT(last_step, kSteps) << "the last kills hit a finished run";
  EXPECT_GT(kills_while_writing, 0);

  ASSERT_EQ(wait_for(start_child(killed)), 0);
  const std::string final = "training/checkpoint-" + std::string("00000") + std::to_string(kSteps);
  for (const std::string& file :
       {std::string("model.safetensors"), std::string("best/model.safetensors"),
        final + "/model.safetensors", final + "/optimizer.safetensors"}) {
    EXPECT_EQ(read_file(killed / file, 1 << 24), read_file(straight / file, 1 << 24)) << file;
  }
  EXPECT_EQ(log_without_times(killed), log_without_times(straight));
  for (const auto& entry : fs::recursive_directory_iterator(training)) {
    EXPECT_EQ(entry.path().filename().string().find(".partial"), std::string::npos) << entry.path();
  }
  RecordProperty("kills_while_writing", static_cast<int>(kills_while_writing));
  fs::remove_all(root);
}

}  // namespace
}  // namespace ink
