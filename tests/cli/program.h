// The fixture of the program's tests: a folder of small files, and runs of the program inside it.
#pragma once
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tensor/file.h"
#include "tests/scratch_folder.h"

namespace ink {

namespace fs = std::filesystem;

struct Finished {
  int status = 0;
  std::string out, error;
};

class Cli : public testing::Test {
 protected:
  void SetUp() override {
    ::setenv("HF_HUB_OFFLINE", "1", 1);  // a model that is not there is not looked for elsewhere
    create_folders(folder_);
    write_file(folder_ / "vocab.txt",
               "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n砚\n台\n墨\n纸\n好\n坏\n。\nink\n##stone\n");
    write_file(folder_ / "text.txt",
               "砚台好。墨好。\n纸坏。砚坏。\n\n墨台纸砚。\n好纸好墨。\n\n坏砚坏台。好砚好台。\n");
    write_file(folder_ / "long.txt", many_documents());
    write_file(folder_ / "words.txt", "砚台 10\n好纸 5\n好墨 5\n");
    write_file(folder_ / "train.tsv",
               "good\t砚台好\nbad\t砚台坏\ngood\t墨好\nbad\t纸坏\ngood\t好纸\nbad\t坏墨\n");
    write_file(
        folder_ / "small.json",
        R"({"hidden_size":16,"num_hidden_layers":2,"num_attention_heads":2,"intermediate_size":32,)"
        R"("max_position_embeddings":32})");
  }
  void TearDown() override { fs::remove_all(folder_); }

  // Runs `inkstone arguments` with `input` as its standard input, inside the folder.
  Finished run(const std::string& arguments, const std::string& input = "") const {
    write_file(folder_ / "stdin", input);
    const std::string command = "cd '" + folder_.string() + "' && " + INK_PROGRAM + " " +
                                arguments + " <stdin >stdout 2>stderr";
    return finished(std::system(command.c_str()));
  }

  // Runs a script of sh in the folder; $INK is the program.
  Finished shell(const std::string& script) const {
    write_file(folder_ / "script", script);
    const std::string command =
        "cd '" + folder_.string() + "' && INK='" + INK_PROGRAM + "' sh script >stdout 2>stderr";
    return finished(std::system(command.c_str()));
  }

  // The run fails with `status`, and the last line of stderr is "inkstone: …" with every part.
  void expect_last_line(const std::string& arguments, int status,
                        const std::vector<std::string>& parts,
                        const std::string& input = "") const {
    const Finished f = run(arguments, input);
    EXPECT_EQ(f.status, status) << arguments << "\n" << f.error;
    ASSERT_TRUE(f.error.ends_with('\n')) << arguments << "\n" << f.error;
    const size_t start = f.error.rfind('\n', f.error.size() - 2);
    const std::string last = f.error.substr(start == std::string::npos ? 0 : start + 1);
    EXPECT_TRUE(last.starts_with("inkstone: ")) << f.error;
    for (const std::string& part : parts) {
      EXPECT_NE(last.find(part), std::string::npos) << arguments << ": no '" << part << "' in\n"
                                                    << f.error;
    }
  }
  // And there is no other line.
  void expect_failure(const std::string& arguments, int status,
                      const std::vector<std::string>& parts, const std::string& input = "") const {
    expect_last_line(arguments, status, parts, input);
    const std::string error = read_file(folder_ / "stderr", 1 << 24);
    EXPECT_EQ(std::count(error.begin(), error.end(), '\n'), 1) << arguments << "\n" << error;
  }

  Finished pretrain(const std::string& more = "") const {
    return run(
        "pretrain --objective mlm --architecture small.json --vocab vocab.txt --text long.txt "
        "--out base --steps 6 --held-out 0 --batch-tokens 64 --max-length 32 " +
        more);
  }

  // 81 different ones, each of 13 or 14 tokens: enough for several batches.
  static std::string many_documents() {
    const std::vector<std::string> words = {"砚台", "好墨", "坏纸"};
    std::string text;
    for (size_t i = 0; i < 81; ++i)
      text += words[i % 3] + "好。\n" + words[i / 3 % 3] + words[i / 27] + "坏。\n" +
              words[i / 9 % 3] + "。\n\n";
    return text;
  }

  Finished finished(int status) const {
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, read_file(folder_ / "stdout", 1 << 24),
            read_file(folder_ / "stderr", 1 << 24)};
  }

  const fs::path folder_ = scratch_folder("ink_cli");
};

}  // namespace ink
