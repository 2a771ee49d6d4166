// The arithmetic around the networks of amesh, in Kotlin without dependencies: for Android or any JVM.
// docs/pipeline.md explains each step, docs/mobile.md uses them; Check.kt holds this file to the same numbers.
//
// Coordinates are continuous: the corner of the top-left pixel is (0, 0), its centre (0.5, 0.5). Angles are in radians,
// clockwise on the screen.

package amesh

import java.nio.ByteBuffer
import kotlin.math.*

/** (u, v) to (a u + b v + x, c u + d v + y), from a network's input to the picture [px]. */
data class Affine(val a: Double, val b: Double, val x: Double, val c: Double, val d: Double, val y: Double) {
    val scale get() = hypot(a, c)
    fun xOf(u: Double, v: Double) = a * u + b * v + x
    fun yOf(u: Double, v: Double) = c * u + d * v + y
}

/** A square region of interest: centre, side [px], angle of its x axis in the picture. */
data class Roi(val x: Double, val y: Double, val side: Double, val angle: Double) {
    /** From the crop of this region to the picture. */
    fun imageFromCrop(size: Int): Affine {
        val cos = side / size * cos(angle)
        val sin = side / size * sin(angle)
        return Affine(cos, -sin, x - size / 2.0 * (cos - sin), sin, cos, y - size / 2.0 * (sin + cos))
    }
}

/** A picture whose pixels start with red, green and blue: a plane of CameraX's RGBA_8888, for one. */
class Picture(
    private val pixels: ByteBuffer,
    val width: Int,
    val height: Int,
    private val rowStride: Int = 4 * width,
    private val pixelStride: Int = 4,
) {
    /** Cuts a network's input: size x size x 3 numbers in [0, 1], row by row; black outside the picture. */
    fun crop(imageFromCrop: Affine, size: Int, into: FloatArray = FloatArray(3 * size * size)): FloatArray {
        // As many samples in each direction as leave them at most 1.75 px apart.
        val n = ceil(imageFromCrop.scale / 1.75 - 1e-6).toInt().coerceIn(1, 16)
        val share = 1f / (255 * n * n)
        into.fill(0f)
        for (row in 0 until size) for (column in 0 until size) for (sample in 0 until n * n) {
            val u = column + (sample % n + 0.5) / n
            val v = row + (sample / n + 0.5) / n
            addSample(imageFromCrop.xOf(u, v) - 0.5, imageFromCrop.yOf(u, v) - 0.5, share, into, 3 * (row * size + column))
        }
        return into
    }

    /** Adds the pixels around an index, interpolated bilinearly. */
    private fun addSample(x: Double, y: Double, share: Float, into: FloatArray, at: Int) {
        if (!(x > -1 && y > -1 && x < width && y < height)) return
        val left = floor(x).toInt()
        val top = floor(y).toInt()
        val right = (x - left).toFloat()
        val down = (y - top).toFloat()
        for (j in 0..1) for (i in 0..1) {
            if (left + i !in 0 until width || top + j !in 0 until height) continue
            val weight = share * (if (i == 1) right else 1 - right) * (if (j == 1) down else 1 - down)
            val pixel = (top + j) * rowStride + (left + i) * pixelStride
            for (c in 0..2) into[at + c] += weight * (pixels[pixel + c].toInt() and 255)
        }
    }
}

/** Takes landmarks (x, y, z) from a crop to the picture, in place. */
fun Affine.toImage(landmarks: FloatArray) {
    for (n in landmarks.indices step 3) {
        val u = landmarks[n].toDouble()
        val v = landmarks[n + 1].toDouble()
        landmarks[n] = xOf(u, v).toFloat()
        landmarks[n + 1] = yOf(u, v).toFloat()
        landmarks[n + 2] = (scale * landmarks[n + 2]).toFloat()
    }
}

/** A face: left, top, right, bottom, then x and y of six keypoints, the eyes first (the image-left one first). */
class Detection(val row: FloatArray, val score: Float) {
    private val area get() = (row[2] - row[0]) * (row[3] - row[1])

    /** Intersection over union. */
    fun overlap(other: Detection): Float {
        val width = max(0f, min(row[2], other.row[2]) - max(row[0], other.row[0]))
        val height = max(0f, min(row[3], other.row[3]) - max(row[1], other.row[1]))
        val union = area + other.area - width * height
        return if (union > 0) width * height / union else 0f
    }

    fun toImage(imageFromInput: Affine) = Detection(
        FloatArray(16) { n ->
            val u = row[n - n % 2].toDouble()
            val v = row[n - n % 2 + 1].toDouble()
            (if (n % 2 == 0) imageFromInput.xOf(u, v) else imageFromInput.yOf(u, v)).toFloat()
        },
        score,
    )

    fun region() = Roi(
        (row[0] + row[2]) / 2.0,
        (row[1] + row[3]) / 2.0,
        1.5 * max(row[2] - row[0], row[3] - row[1]),
        atan2((row[7] - row[5]).toDouble(), (row[6] - row[4]).toDouble()),
    )
}

/** The short-range face detector, `detector-short`: 128 x 128 px, 896 anchors. */
object ShortRange {
    const val SIZE = 128

    fun letterbox(width: Int, height: Int): Affine {
        val side = max(width, height)
        val scale = side / SIZE.toDouble()
        return Affine(scale, 0.0, (width - side) / 2.0, 0.0, scale, (height - side) / 2.0)
    }

    fun anchorX(n: Int) = if (n < 512) 8 * (n / 2 % 16) + 4 else 16 * ((n - 512) / 6 % 8) + 8
    fun anchorY(n: Int) = if (n < 512) 8 * (n / 32) + 4 else 16 * ((n - 512) / 48) + 8

    /** Faces, best first, from `boxes` (896 x 16) and `scores` (896 logits) [input px]. */
    fun faces(boxes: FloatArray, scores: FloatArray): List<Detection> = suppress(
        scores.indices.filter { scores[it] >= 0 && boxes[16 * it + 2] >= 0 && boxes[16 * it + 3] >= 0 }.map { n ->
            val row = FloatArray(16) { boxes[16 * n + it] + if (it % 2 == 0) anchorX(n) else anchorY(n) }
            val halfWidth = boxes[16 * n + 2] / 2
            val halfHeight = boxes[16 * n + 3] / 2
            row[2] = row[0] + halfWidth
            row[3] = row[1] + halfHeight
            row[0] -= halfWidth
            row[1] -= halfHeight
            Detection(row, 1 / (1 + exp(-scores[n])))
        },
    )

    /** Weighted suppression: rows that overlap the best one by more than 0.3 become one face with it. */
    fun suppress(rows: List<Detection>): List<Detection> {
        val faces = mutableListOf<Detection>()
        var left = rows.sortedByDescending { it.score }
        while (left.isNotEmpty()) {
            val best = left.first()
            val (same, others) = left.partition { it === best || it.overlap(best) > 0.3f }
            val sum = same.sumOf { it.score.toDouble() }
            val mean = FloatArray(16) { n -> (same.sumOf { it.score.toDouble() * it.row[n] } / sum).toFloat() }
            faces += Detection(mean, best.score)
            left = others
        }
        return faces
    }
}

/** The region of the next frame, from the landmarks (x, y, z) of this one, before smoothing [px]. */
fun nextRegion(landmarks: FloatArray): Roi {
    val x = FloatArray(landmarks.size / 3) { landmarks[3 * it] }
    val y = FloatArray(landmarks.size / 3) { landmarks[3 * it + 1] }
    // Between the outer corners of the eyes; in profile, these meet, and the face's midline decides instead.
    val eyeX = (x[263] - x[33]).toDouble()
    val eyeY = (y[263] - y[33]).toDouble()
    val midX = (x[152] - x[10]).toDouble()
    val midY = (y[152] - y[10]).toDouble()
    val width = max(hypot(eyeX, eyeY), 1e-6)
    val height = max(hypot(midX, midY), 1e-6)
    val p = ((0.56 - width / (height * 0.531327)) / 0.28).coerceIn(0.0, 1.0)
    val across = (1 - p) * eyeX / width + p * midY / height
    val down = (1 - p) * eyeY / width - p * midX / height
    val side = 1.5 * max(x.max() - x.min(), y.max() - y.min())
    return Roi((x.min() + x.max()) / 2.0, (y.min() + y.max()) / 2.0, side, atan2(down, across))
}

/** The One-Euro filter of one face. (0.05, 80) smooths as MediaPipe does; (1, 200) lags less. */
class OneEuro(private val minCutoff: Double = 0.05, private val beta: Double = 80.0) {
    private var last = Double.NaN
    private var raw = FloatArray(0)
    private var smooth = DoubleArray(0)
    private var speed = DoubleArray(0)

    /** Smooth landmarks of the next frame, taken at `time` [s]. */
    fun filter(landmarks: FloatArray, time: Double): FloatArray {
        val step = time - last
        if (!(abs(step) <= 0.5)) {
            smooth = DoubleArray(landmarks.size) { landmarks[it].toDouble() }
            speed = DoubleArray(landmarks.size)
        } else if (step > 0) {
            val size = (0..1).sumOf { axis ->
                val line = landmarks.filterIndexed { n, _ -> n % 3 == axis }
                (line.max() - line.min()).toDouble()
            } / 2
            for (n in landmarks.indices) {
                if (size > 0) speed[n] += weight(1.0, step) * ((landmarks[n] - raw[n]) / (size * step) - speed[n])
                smooth[n] += weight(minCutoff + beta * abs(speed[n]), step) * (landmarks[n] - smooth[n])
            }
        } else {
            return FloatArray(smooth.size) { smooth[it].toFloat() }
        }
        raw = landmarks.copyOf()
        last = time
        return FloatArray(smooth.size) { smooth[it].toFloat() }
    }

    private fun weight(cutoff: Double, step: Double) = 1 - 1 / (1 + 2 * PI * cutoff * step)
}
