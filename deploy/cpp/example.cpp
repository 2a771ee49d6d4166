// From a picture to 478 landmarks with ONNX Runtime's C++ API.
//
//     amesh export onnx --model detector-short
//     amesh export onnx --model paper-256
//     convert photo.jpg photo.ppm
//     g++ -std=c++17 -O2 -I ONNXRUNTIME/include -o example example.cpp -L ONNXRUNTIME/lib -lonnxruntime
//     export LD_LIBRARY_PATH=ONNXRUNTIME/lib
//     ./example detector-short-fp32.onnx paper-256-fp32.onnx photo.ppm
//
// ONNXRUNTIME is an unpacked release of ONNX Runtime. It prints x, y and z of each landmark of the best face, a line
// each, in pixels of the picture.

#include <onnxruntime_cxx_api.h>

#include <cstdio>
#include <fstream>
#include <optional>
#include <string>

#include "amesh.hpp"

namespace {

constexpr int kSize = 256;  // side of the landmark network's input [px]

struct Image {
    int width = 0, height = 0;
    std::vector<std::uint8_t> rgb;
};

// A binary PPM file, without comments in its header.
Image read_ppm(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string magic;
    Image image;
    int most = 0;
    if (!(file >> magic >> image.width >> image.height >> most) || magic != "P6" || most != 255)
        throw std::runtime_error(path + ": not a binary PPM file with 8 bits a channel");
    file.get();
    image.rgb.resize(std::size_t(3) * std::size_t(image.width) * std::size_t(image.height));
    if (!file.read(reinterpret_cast<char*>(image.rgb.data()), std::streamsize(image.rgb.size())))
        throw std::runtime_error(path + ": the file ends too early");
    return image;
}

// An open file and one picture through it.
class Network {
public:
    Network(Ort::Env& env, const std::string& path) : session_(env, path.c_str(), options()) {}

    std::vector<Ort::Value> operator()(std::vector<float>& image, int size, std::vector<const char*> outputs) {
        const std::array<std::int64_t, 4> shape{1, 3, size, size};
        const char* const input = "image";
        const Ort::Value tensor = Ort::Value::CreateTensor<float>(memory_, image.data(), image.size(), shape.data(), 4);
        return session_.Run(Ort::RunOptions{nullptr}, &input, &tensor, 1, outputs.data(), outputs.size());
    }

private:
    static Ort::SessionOptions options() {
        Ort::SessionOptions options;
        options.SetIntraOpNumThreads(1);
        return options;
    }
    Ort::MemoryInfo memory_ = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    Ort::Session session_;
};

std::optional<amesh::Detection> find_face(Network& detector, const amesh::Picture& picture) {
    const amesh::DetectorConfig config = amesh::short_range();
    std::vector<float> image = amesh::detector_input(picture, config, amesh::Layout::nchw);
    std::vector<Ort::Value> answer = detector(image, config.input_size, {"boxes", "scores"});
    const float* boxes = answer[0].GetTensorMutableData<float>();
    const float* scores = answer[1].GetTensorMutableData<float>();
    const std::vector<amesh::Detection> faces = amesh::weighted_suppression(amesh::decode(config, boxes, scores));
    if (faces.empty()) return std::nullopt;
    return amesh::to_image(amesh::letterbox(picture.width, picture.height, config.input_size), faces.front());
}

// In a video, go on with amesh::region(landmarks) in the next frame, and smooth what you show with amesh::OneEuro.
std::vector<float> find_landmarks(Network& network, const amesh::Picture& picture, const amesh::Roi& roi) {
    const amesh::Affine place = amesh::image_from_crop(roi, kSize);
    std::vector<float> image = amesh::crop(picture, place, kSize, amesh::Layout::nchw);
    std::vector<Ort::Value> answer = network(image, kSize, {"landmarks", "face_flag"});
    if (!(answer[1].GetTensorMutableData<float>()[0] > 0)) return {};
    const float* found = answer[0].GetTensorMutableData<float>();
    std::vector<float> landmarks(found, found + 3 * 478);
    amesh::to_image(place, landmarks.data(), 478);
    return landmarks;
}

int run(const std::string& detector_file, const std::string& network_file, const std::string& picture_file) {
    const Image image = read_ppm(picture_file);
    const amesh::Picture picture(image.rgb.data(), image.width, image.height);
    Ort::Env env(ORT_LOGGING_LEVEL_WARNING, "amesh");
    Network detector(env, detector_file), network(env, network_file);
    const std::optional<amesh::Detection> face = find_face(detector, picture);
    std::vector<float> landmarks;
    if (face) landmarks = find_landmarks(network, picture, amesh::region(*face));
    if (landmarks.empty()) {
        std::fputs("no face\n", stderr);
        return 1;
    }
    for (std::size_t n = 0; n < landmarks.size(); n += 3)
        std::printf("%.3f %.3f %.3f\n", double(landmarks[n]), double(landmarks[n + 1]), double(landmarks[n + 2]));
    return 0;
}

}  // namespace

int main(int count, char** words) {
    if (count != 4) {
        std::fputs("usage: example DETECTOR.onnx NETWORK.onnx PICTURE.ppm\n", stderr);
        return 2;
    }
    try {
        return run(words[1], words[2], words[3]);
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 2;
    }
}
