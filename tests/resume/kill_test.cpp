// Pre-training killed (SIGKILL) at every change of the disk around its first and its later saves,
// and resumed each time: it ends with the same bits as a run that nobody disturbed, and no
// checkpoint is ever lost.
//
// The victim is a child process: this program again, restricted to one disabled test. It counts its
// changes of the disk and ends itself at a given one, so nothing depends on the machine's speed.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "autograd/checkpoint.h"
#include "autograd/training_log.h"
#include "objectives/pretrain.h"
#include "tensor/file.h"
#include "tests/objectives/toy_corpus.h"
#include "tests/resume/kill_point.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

constexpr const char *kFolderVariable = "INK_TEST_KILL_FOLDER", *kKillVariable = "INK_TEST_KILL_AT";
constexpr int64_t kSteps = 100;
constexpr int64_t kNever = INT64_MAX;

// What the child does; a checkpoint after every step.
void train_in(const fs::path& folder) {
  const Tokenizer tokenizer = toy_tokenizer();
  const Segmenter segmenter = toy_segmenter(folder.parent_path() / "dictionary");
  ModelConfig config;
  config.vocab_size = tokenizer.vocabulary().size();
  config.hidden_size = 32;
  config.head_size = 16;
  config.max_position_embeddings = 40;
  config.set_layers(1, 2, 48);
  std::ofstream notices(folder.parent_path() / "notices", std::ios::app);
  pretrain(config, tokenizer, &segmenter,
           {.corpus = {folder.parent_path() / "texts"},
            .out = folder,
            .objective = {.pair_task = PairTask::next_sentence},
            .max_tokens = 40,
            .batch_tokens = 100,
            .accumulate = 2,
            .block_bytes = 4000,
            .held_out = 0.1,
            .steps = kSteps,
            .learning_rate = 1e-3,
            .log_every = 3,
            .evaluate_every = 20,
            .checkpoint_every = 1,
            .resume = true},
           {.notice = [&](const std::string& s) { notices << s << std::endl; }});
}

void write_checkpoint(const fs::path& root, const std::string& text) {
  const CheckpointFolder checkpoints(root, 2);
  checkpoints.write(1, Json::make_object({{"text", text}}),
                    [&](const fs::path& into) { write_file(into / "text", text); });
}

// The children's folder; arms the kill.
fs::path prepare_child() {
  const char *folder = std::getenv(kFolderVariable), *at = std::getenv(kKillVariable);
  check(folder && at, "only for the tests below");
  testing::kill_at(std::stoll(at));
  return folder;
}

TEST(KillChild, DISABLED_Train) { train_in(prepare_child()); }
TEST(KillChild, DISABLED_Rewrite) { write_checkpoint(prepare_child(), "second"); }

// Runs a disabled test above until its nth change of the disk. True when it ended by itself.
bool run_child(const char* test, const fs::path& folder, int64_t kill_at = kNever) {
  const std::string filter = std::string("--gtest_filter=KillChild.DISABLED_") + test,
                    number = std::to_string(kill_at);
  const pid_t child = fork();
  if (child == 0) {
    setenv(kFolderVariable, folder.c_str(), 1);
    setenv(kKillVariable, number.c_str(), 1);
    dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
    execl("/proc/self/exe", "child", filter.c_str(), "--gtest_also_run_disabled_tests", nullptr);
    _exit(127);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) {
    EXPECT_EQ(WTERMSIG(status), SIGKILL);
    return false;
  }
  EXPECT_EQ(WEXITSTATUS(status), 0) << test << " in " << folder;
  return true;
}

class KillTest : public ::testing::Test {
 protected:
  KillTest() { fs::remove_all(root_); }
  ~KillTest() override { fs::remove_all(root_); }
  const fs::path root_ = scratch_folder("ink_kill");
};

std::vector<std::string> log_without_times(const fs::path& folder) {
  std::vector<std::string> lines;
  for (Json line : read_training_log(folder / "training" / "log.jsonl")) {
    line.erase("seconds");
    line.erase("tokens_per_second");
    lines.push_back(line.to_string());
  }
  return lines;
}

std::string name_of_step(int64_t step) {
  const std::string digits = std::to_string(step);
  return "checkpoint-" + std::string(8 - digits.size(), '0') + digits;
}

// The newest checkpoint as it lies there, without the cleaning-up of CheckpointFolder.
int64_t last_step_in(const fs::path& training) {
  for (int64_t step = kSteps; step > 0; --step) {
    if (fs::exists(training / name_of_step(step))) return step;
  }
  return 0;
}

TEST_F(KillTest, APretrainingKilledAnywhereLosesNothing) {
  write_toy_corpus(root_ / "texts", 60, 2);
  const fs::path straight = root_ / "straight", killed = root_ / "killed",
                 training = killed / "training";
  ASSERT_TRUE(run_child("Train", straight));
  fs::remove(root_ / "notices");

  // Small numbers hit the start and the resume, larger ones the saves of two steps.
  constexpr int64_t kLast = 80;
  int64_t last_step = 0;
  for (int64_t n = 1; n <= kLast; ++n) {
    ASSERT_FALSE(run_child("Train", killed, n)) << "the last kills hit a finished run";
    const int64_t step = last_step_in(training);
    ASSERT_GE(step, last_step) << "a checkpoint was lost by kill " << n;
    last_step = step;
  }
  EXPECT_GE(last_step, kLast / 4) << "the kills should reach beyond the saves of two steps";

  ASSERT_TRUE(run_child("Train", killed));
  const std::string notices = read_file(root_ / "notices", 1 << 20);
  EXPECT_NE(notices.find("resumed"), std::string::npos);
  EXPECT_EQ(notices.find("damaged"), std::string::npos) << notices;
  for (const std::string& file :
       {std::string("model.safetensors"), std::string("best/model.safetensors"),
        "training/" + name_of_step(kSteps) + "/model.safetensors",
        "training/" + name_of_step(kSteps) + "/optimizer.safetensors"}) {
    EXPECT_EQ(read_file(killed / file, 1 << 24), read_file(straight / file, 1 << 24)) << file;
  }
  EXPECT_EQ(log_without_times(killed), log_without_times(straight));
  for (const auto& entry : fs::recursive_directory_iterator(training)) {
    EXPECT_EQ(entry.path().filename().string().find(".partial"), std::string::npos) << entry.path();
  }
}

TEST_F(KillTest, ACheckpointIsReplacedOrStays) {
  bool finished = false;
  std::string found;
  for (int64_t n = 1; !finished; ++n) {
    fs::remove_all(root_);
    write_checkpoint(root_, "first");
    finished = run_child("Rewrite", root_, n);
    const auto newest = CheckpointFolder(root_, 2).newest();
    ASSERT_TRUE(newest) << "lost by kill " << n;
    found = newest->state.string("text");
    EXPECT_EQ(read_file(newest->folder / "text", 100), found);
    EXPECT_TRUE(found == "first" || found == "second");
    EXPECT_EQ(std::distance(fs::directory_iterator(root_), {}), 1) << "something is left over";
  }
  EXPECT_EQ(found, "second");
}

}  // namespace
}  // namespace ink
