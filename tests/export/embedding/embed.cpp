// The recipe of models/README.md as a program: embed MODEL SCAN.ppm... prints a JSON line a scan.
#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  Ort::Env env(ORT_LOGGING_LEVEL_FATAL);
  Ort::Session session(env, argv[1], Ort::SessionOptions{});
  Ort::AllocatorWithDefaultOptions allocator;
  auto threshold = session.GetModelMetadata().LookupCustomMetadataMapAllocated("ood_threshold", allocator);
  auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const char* inputs[] = {"image"};
  const char* outputs[] = {"probabilities", "cam", "ood_score"};
  for (int i = 2; i < argc; ++i) {
    std::ifstream file(argv[i], std::ios::binary);
    std::string magic;
    int64_t width = 0, height = 0, largest = 0;
    file >> magic >> width >> height >> largest;
    file.get();
    std::vector<uint8_t> pixels(width * height * 3);
    file.read(reinterpret_cast<char*>(pixels.data()), pixels.size());
    if (!file || magic != "P6") {
      std::cerr << argv[i] << ": not a PPM picture\n";
      return 1;
    }

    int64_t shape[] = {1, height, width, 3};
    auto image = Ort::Value::CreateTensor<uint8_t>(memory, pixels.data(), pixels.size(), shape, 4);
    auto answers = session.Run(Ort::RunOptions{}, inputs, &image, 1, outputs, 3);
    const float* probabilities = answers[0].GetTensorData<float>();
    float score = answers[2].GetTensorData<float>()[0];
    bool refused = score > std::stof(threshold.get());

    std::cout << "{\"refused\": " << (refused ? "true" : "false") << ", \"ood_score\": " << score
              << ", \"probabilities\": [";
    for (int c = 0; c < 4; ++c) std::cout << (c ? ", " : "") << probabilities[c];
    std::cout << "]}\n";
  }
}
