// Holds Amesh.kt to the numbers that amesh itself computes: `nox -s kotlin`.

package amesh

import java.io.File
import java.nio.ByteBuffer
import kotlin.math.abs
import kotlin.system.exitProcess

private var checks = 0
private var failures = 0

private fun close(what: String, found: List<Number>, wanted: List<Number>, most: Double) {
    checks++
    val far = { pair: Pair<Number, Number> -> !(abs(pair.first.toDouble() - pair.second.toDouble()) <= most) }
    if (found.size == wanted.size && found.zip(wanted).none(far)) return
    failures++
    println("FAILED $what\n  found  $found\n  wanted $wanted")
}

/** Valid JSON with numbers, plain strings, lists and objects, as Double, String, List and Map. */
private class Reader(private val text: String) {
    private var at = 0

    fun value(): Any = when (peek()) {
        '{' -> members().toMap()
        '[' -> items { value() }
        '"' -> text.substring(++at, text.indexOf('"', at)).also { at += it.length + 1 }
        else -> Regex("[-+.eE0-9]+").matchAt(text, at)!!.value.also { at += it.length }.toDouble()
    }

    private fun members() = items { (value() as String).also { check(peek() == ':') { "no : at $at" }; at++ } to value() }

    private fun <T> items(item: () -> T): List<T> {
        val all = mutableListOf<T>()
        at++
        while (peek() !in "]}") {
            all += item()
            if (peek() == ',') at++
        }
        at++
        return all
    }

    private fun peek(): Char {
        while (text[at].isWhitespace()) at++
        return text[at]
    }
}

@Suppress("UNCHECKED_CAST")
private operator fun Any.get(key: String): Any = (this as Map<String, Any>).getValue(key)
private fun Any.list() = (this as List<*>).map { it!! }
private fun Any.number() = this as Double
private fun Any.numbers(): List<Double> = if (this is Double) listOf(this) else list().flatMap { it.numbers() }
private fun Any.floats() = numbers().map { it.toFloat() }.toFloatArray()
private fun Affine.numbers() = listOf(a, b, x, c, d, y)

private fun closeRegion(what: String, found: Roi, wanted: Any) {
    close("$what: region", listOf(found.x, found.y, found.side), wanted["centre"].numbers() + wanted["side"].number(), 3e-3)
    close("$what: angle", listOf(found.angle), listOf(wanted["angle_radians"].number()), 3e-5)
}

/** A picture of 640 x 480 from a function of column, row and channel. */
private fun picture(value: (Int, Int, Int) -> Int): Picture {
    val rgba = ByteBuffer.allocate(4 * 640 * 480)
    for (y in 0 until 480) for (x in 0 until 640) for (c in 0..3) rgba.put(value(x, y, c).toByte())
    return Picture(rgba, 640, 480)
}

private val formula = picture { x, y, c -> listOf(x, y, x + y, 255)[c] }

private fun checkCrop(face: Any, roi: Roi, size: Int) {
    val what = "crop, ${face["name"]}"
    val place = roi.imageFromCrop(size)
    close("$what: matrix", place.numbers(), face["image_from_crop"].numbers(), 1e-5)
    val crop = formula.crop(place, size)
    for (pixel in face["crop_pixels"].list()) {
        val at = 3 * (pixel["row"].number().toInt() * size + pixel["column"].number().toInt())
        close(what, (0..2).map { 255 * crop[at + it] }, pixel["rgb"].numbers(), 0.1)
    }
}

private fun checkCrops(reference: Any) {
    for (face in reference["crops"].list()) {
        val row = face["box"].floats() + face["eyes"].floats() + FloatArray(8)
        val roi = Detection(row, 1f).region()
        closeRegion("${face["name"]}", roi, face["roi"])
        checkCrop(face, roi, 256)
        val points = face["crop_points"].list().flatMap { it.numbers() + 10.0 }.map { it.toFloat() }.toFloatArray()
        roi.imageFromCrop(256).toImage(points)
        val wanted = face["image_points"].list().flatMap { it.numbers() + 10 * roi.side / 256 }
        close("${face["name"]}: points", points.toList(), wanted, 1e-3)
    }
    for (face in reference["more_crops"].list()) {
        val (x, y) = face["roi"]["centre"].numbers()
        val roi = Roi(x, y, face["roi"]["side"].number(), face["roi"]["angle_radians"].number())
        checkCrop(face, roi, face["size"].number().toInt())
    }
    val stripes = picture { x, _, _ -> 255 * (x % 2) }.crop(Roi(320.0, 240.0, 384.0, 0.1).imageFromCrop(48), 48)
    close("stripes average out", listOf(stripes.min(), stripes.max()), listOf(0.5, 0.5), 0.1)
}

private fun checkDetector(steps: Any) {
    for (anchor in steps["anchors"].list()) {
        val n = anchor["number"].number().toInt()
        close("anchor", listOf(ShortRange.anchorX(n), ShortRange.anchorY(n)), anchor["centre"].numbers(), 0.0)
    }
    val boxes = FloatArray(16 * 896)
    val scores = FloatArray(896) { if (it == 3) Float.NaN else -5f }
    scores[4] = 9f // surest of all, if they had a size
    scores[5] = 9f
    boxes[16 * 4 + 2] = -1f
    boxes[16 * 5 + 3] = Float.NaN
    for (kept in steps["kept"].list()) {
        val n = kept["anchor"].number().toInt()
        kept["raw"].floats().copyInto(boxes, 16 * n)
        scores[n] = kept["logit"].number().toFloat()
    }
    val faces = ShortRange.faces(boxes, scores)
    close("faces", listOf(faces.size), listOf(1), 0.0)
    close("merged", faces[0].row.toList(), steps["merged"]["row"].numbers(), 1e-3)
    close("score", listOf(faces[0].score), steps["merged"]["score"].numbers(), 1e-5)
    val (width, height) = steps["picture"].numbers().map { it.toInt() }
    val place = ShortRange.letterbox(width, height)
    close("letterbox", place.numbers(), steps["image_from_input"].numbers(), 1e-5)
    val face = faces[0].toImage(place)
    close("box and keypoints", face.row.toList(), steps["box"].numbers() + steps["keypoints"].numbers(), 1e-3)
    closeRegion("short", face.region(), steps["roi"])
}

private fun checkSuppression(given: Any) {
    val rows = given["rows"].list().zip(given["scores"].numbers()) { row, score -> Detection(row.floats(), score.toFloat()) }
    val faces = ShortRange.suppress(rows)
    val merged = given["merged"].list()
    val wanted = merged.flatMap { it["row"].numbers() + it["score"].number() }
    close("suppression", faces.flatMap { it.row.toList() + it.score }, wanted, 1e-4)
}

private fun checkVideo(reference: Any) {
    for (face in reference["profiles"].list()) {
        val points = FloatArray(3 * 478) { 145f }
        val ends = face["eyes"].floats() + face["midline"].floats()
        listOf(33, 263, 10, 152).forEachIndexed { n, landmark -> ends.copyInto(points, 3 * landmark, 2 * n, 2 * n + 2) }
        closeRegion("profile", nextRegion(points), face["roi"])
    }
    closeRegion("next frame", nextRegion(reference["landmarks"]["all"].floats()), reference["landmarks"]["next_roi"])
    for (filter in reference["smoothing"]["filters"].list()) {
        val smooth = OneEuro(filter["min_cutoff"].number(), filter["beta"].number())
        reference["smoothing"]["frames"].list().zip(filter["landmarks"].list()) { frame, wanted ->
            val found = smooth.filter(frame["landmarks"].floats(), frame["time"].number())
            close("smoothing, ${filter["name"]}", found.toList(), wanted.numbers(), 1e-4)
        }
    }
}

fun main(words: Array<String>) {
    val reference = Reader(File(words[0]).readText()).value()
    checkCrops(reference)
    checkDetector(reference["detectors"]["short"])
    checkSuppression(reference["suppression"])
    checkVideo(reference)
    println("$checks checks, $failures failed")
    exitProcess(if (failures > 0) 1 else 0)
}
