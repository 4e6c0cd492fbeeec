// Example using fetch
const loginWithOTP = async (otpCode) => {
  try {
    const response = await fetch("http://localhost:8000/api/auth/login/otp", {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
      },
      body: JSON.stringify({
        otp_code: otpCode,
      }),
    });

    if (!response.ok) {
      throw new Error("Invalid OTP");
    }

    const data = await response.json();

    // Store token in localStorage or state management
    localStorage.setItem("token", data.access_token);
    localStorage.setItem("userType", "otp");
    localStorage.setItem("otpCode", otpCode);

    return true;
  } catch (error) {
    console.error("OTP login failed:", error);
    return false;
  }
};
